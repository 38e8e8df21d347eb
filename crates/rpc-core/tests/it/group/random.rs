//! Groups compared with an obviously right model, over random operations.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rpc_core::connection::Config;
use rpc_core::{AddError, DirectStreamWriter, Group, Implementations, Pipe};
use tokio::runtime::Builder;

use super::{FEED, serving};
use crate::pair::{CAPACITY, connect, settle};
use crate::streams::drain;

const CONNECTIONS: usize = 2;
const STREAMS: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(usize),
    Remove(usize),
    /// The writer closes it.
    Close(usize),
    /// The caller's pipe is dropped.
    Abort(usize),
    Write(i64),
    WriteEncoded(u8),
    /// Past the group.
    WriteAlone(usize, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..STREAMS;
    prop_oneof![
        4 => stream.clone().prop_map(Step::Add),
        2 => stream.clone().prop_map(Step::Remove),
        1 => stream.clone().prop_map(Step::Close),
        1 => stream.clone().prop_map(Step::Abort),
        6 => (-300..300_i64).prop_map(Step::Write),
        2 => (0..0x80_u8).prop_map(Step::WriteEncoded),
        2 => (stream, 0..300_i64).prop_map(|(stream, value)| Step::WriteAlone(stream, value)),
    ]
}

/// What a group is, without any of its reasons.
#[derive(Debug, Default)]
struct Naive {
    members: BTreeSet<usize>,
    closed: BTreeSet<usize>,
    last: Option<i64>,
    /// For each stream.
    expected: [Vec<i64>; STREAMS],
}

impl Naive {
    fn add(&mut self, stream: usize, sends_last: bool) -> Result<(), AddError> {
        if self.closed.contains(&stream) {
            return Err(AddError::Closed);
        }
        if !self.members.insert(stream) {
            return Err(AddError::AlreadyMember);
        }
        self.expected[stream].extend(self.last.filter(|_| sends_last));
        Ok(())
    }

    fn close(&mut self, stream: usize) {
        self.closed.insert(stream);
        self.members.remove(&stream);
    }

    fn write(&mut self, value: i64) {
        self.last = Some(value);
        for stream in &self.members {
            self.expected[*stream].push(value);
        }
    }
}

async fn check(sends_last: bool, steps: Vec<Step>) {
    let (table, mut receiver) = serving();
    let mut connections = Vec::new();
    let mut pipes: Vec<Option<Pipe<i64>>> = Vec::new();
    let mut writers: Vec<DirectStreamWriter<i64>> = Vec::new();
    for _ in 0..CONNECTIONS {
        let near = (Config::default(), &Implementations::empty(), ());
        connections.push(connect(CAPACITY, near, (Config::default(), &table, ())).await);
    }
    for stream in 0..STREAMS {
        let (near, _) = &connections[stream % CONNECTIONS];
        pipes.push(Some(FEED.dispatch(near, &()).await.unwrap().unwrap()));
        writers.push(receiver.recv().await.unwrap());
    }
    let group = match sends_last {
        true => Group::new().send_last_value_on_add(),
        false => Group::new(),
    };
    let mut naive = Naive::default();
    for step in steps {
        match step {
            Step::Add(stream) => {
                let added = group.add(writers[stream].clone());
                assert_eq!(added, naive.add(stream, sends_last));
            }
            Step::Remove(stream) => {
                group.remove(&writers[stream]);
                naive.members.remove(&stream);
            }
            Step::Close(stream) => {
                writers[stream].close();
                naive.close(stream);
            }
            Step::Abort(stream) => {
                pipes[stream] = None;
                settle().await;
                naive.close(stream);
            }
            Step::Write(value) => {
                group.write(&value).unwrap();
                naive.write(value);
            }
            Step::WriteEncoded(byte) => {
                group.write_encoded(&[byte]);
                naive.write(i64::from(byte));
            }
            Step::WriteAlone(stream, value) => {
                let written = writers[stream].write(&value);
                assert_eq!(written.is_ok(), !naive.closed.contains(&stream));
                if written.is_ok() {
                    naive.expected[stream].push(value);
                }
            }
        }
        assert_eq!(group.len(), naive.members.len());
    }
    drop((group, writers));
    for (pipe, expected) in pipes.iter_mut().zip(&naive.expected) {
        if let Some(pipe) = pipe {
            assert_eq!(drain(pipe).await, *expected);
        }
    }
    settle().await;
    for (near, far) in &connections {
        assert_eq!(near.open_queries(), 0);
        assert_eq!(far.served_streams(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// R-GR-1 to R-GR-7.
    #[test]
    fn behaves_like_the_model(
        sends_last in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(sends_last, steps));
    }
}
