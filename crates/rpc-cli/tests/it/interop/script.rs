//! A recorded conversation as a sequence of messages.

use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::{Header, ProtocolVersion, frame};

/// What the names of recordings of second connections end with.
const SECOND: &str = ".c2";

/// One message: the body of its frame.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) from: Side,
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
}

/// Which place in the conversation a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Header,
    Metadata,
    Message,
}

/// What both sides said, in the order in which it was seen; heartbeats are left out.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) case: String,
    pub(super) steps: Vec<Step>,
    pub(super) ended_by: Side,
    /// Of the second connection of the same run, if there was one.
    pub(super) second: Option<Box<Self>>,
}

impl Script {
    fn new(recording: &Recording) -> Self {
        let mut sides = [Side::Caller, Side::Callee].map(|from| Unfinished {
            from,
            bytes: Vec::new(),
            frames: 0,
        });
        let version = ProtocolVersion::new(recording.wire_version.into()).unwrap();
        let has_metadata = version.has_connection_metadata();
        let mut steps: Vec<Step> = Vec::new();
        let mut ended_by = None;
        for chunk in &recording.chunks {
            let side = sides.iter_mut().find(|side| side.from == chunk.from);
            match &chunk.data {
                Data::Bytes(bytes) => side.unwrap().take(bytes, has_metadata, &mut steps),
                Data::End => ended_by = ended_by.or(Some(chunk.from)),
            }
        }
        // The recorded releases sent queries before they had the other side's metadata; ours wait.
        steps.sort_by_key(|step| step.kind);
        Self {
            name: recording.name.clone(),
            case: recording.case.clone(),
            steps,
            ended_by: ended_by.unwrap(),
            second: None,
        }
    }

    /// The scripts of all recordings of which `wanted` says so.
    pub(super) fn all(wanted: impl Fn(&Recording) -> bool) -> Vec<Self> {
        let recordings = Recording::load_all();
        let wanted = recordings.iter().filter(|recording| wanted(recording));
        let (seconds, mut scripts): (Vec<_>, Vec<_>) = wanted
            .map(Self::new)
            .partition(|script| script.name.ends_with(SECOND));
        for second in seconds {
            let name = second.name.trim_end_matches(SECOND);
            let first = scripts.iter_mut().find(|script| script.name == name);
            first.unwrap().second = Some(Box::new(second));
        }
        scripts
    }

    /// The highest version that a side offered.
    pub(super) fn highest(&self, side: Side) -> i64 {
        let header = |step: &&Step| step.from == side && step.kind == Kind::Header;
        let header = self.steps.iter().find(header).unwrap();
        let header = Header::decode(&header.body).unwrap();
        header.versions().max().unwrap()
    }
}

/// What one side has sent so far.
struct Unfinished {
    from: Side,
    bytes: Vec<u8>,
    frames: usize,
}

impl Unfinished {
    fn take(&mut self, bytes: &[u8], has_metadata: bool, steps: &mut Vec<Step>) {
        self.bytes.extend_from_slice(bytes);
        while let Some((body, rest)) = frame::split(&self.bytes, usize::MAX).unwrap() {
            let kind = match self.frames {
                0 => Kind::Header,
                1 if has_metadata => Kind::Metadata,
                _ => Kind::Message,
            };
            self.frames += 1;
            if kind != Kind::Message || body != [0] {
                steps.push(Step {
                    from: self.from,
                    kind,
                    body: body.to_vec(),
                });
            }
            self.bytes = rest.to_vec();
        }
    }
}
