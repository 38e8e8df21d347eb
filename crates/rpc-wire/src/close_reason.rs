//! Why a connection is closed, as the two sides tell each other (*protocol* §13).

use std::fmt;

use bin_prot::{BinRead, BinWrite, Info, ReadError, ReadErrorKind, Reader, Sexp, WriteError};

use crate::ProtocolVersion;

/// The structured close reason, exactly as it travels from version 10 (*protocol* §13.1).
///
/// Reading checks that the kind is acceptable, and keeps it as it was written.
///
/// ```text
/// offset  width  meaning, behind the tag 0b
///      0  …      the kind, a Sexp
///      …  …      what the library says, an Info option
///      …  …      what the user says, an Info option
///
/// 00 0b 55 6e 73 70 65 63 69 66 69 65 64  00  01 01 03 62 79 65    Unspecified, user "bye"
/// ```
///
/// ```
/// use rpc_wire::{CloseReason, CloseReasonKind, CloseReasonV2};
///
/// let reason: CloseReasonV2 = bin_prot::from_slice(b"\x00\x0bUnspecified\x00\x01\x01\x03bye")?;
/// assert_eq!(reason.kind(), CloseReasonKind::Unspecified);
/// assert_eq!(CloseReason::from(reason), CloseReason::user("bye"));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReasonV2 {
    kind: Sexp,
    /// What the library of the closing side has to say.
    pub debug_info: Option<Info>,
    /// What the user of the closing side has to say.
    pub user_reason: Option<Info>,
}

/// What kind of closing this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CloseReasonKind {
    /// Nothing special.
    #[default]
    Unspecified,
    /// The server has as many connections as it allows.
    ConnectionLimitReached,
    /// The peer did not accept our identification.
    ConnectionValidationFailed,
    /// Something that a newer peer knows; kept as received (rule C-RS-6).
    Other(UnknownKind),
}

/// A kind that this version does not know, and that peers accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(Sexp);

impl UnknownKind {
    /// The kind that travels as this; `None` if peers would refuse it, or it is a known kind.
    pub fn new(sexp: Sexp) -> Option<Self> {
        match CloseReasonKind::from_sexp(&sexp)? {
            CloseReasonKind::Other(kind) => Some(kind),
            _ => None,
        }
    }

    /// The kind as it was received.
    pub fn as_sexp(&self) -> &Sexp {
        &self.0
    }
}

impl CloseReasonKind {
    const KNOWN: [(&'static str, Self); 3] = [
        ("Unspecified", Self::Unspecified),
        ("Connection_limit_reached", Self::ConnectionLimitReached),
        (
            "Connection_validation_failed",
            Self::ConnectionValidationFailed,
        ),
    ];

    /// The S-expression by which the kind travels.
    pub fn to_sexp(&self) -> Sexp {
        match self {
            Self::Other(UnknownKind(sexp)) => sexp.clone(),
            known => {
                let name = Self::KNOWN.iter().find(|(_, kind)| kind == known);
                Sexp::atom(name.map_or("Unspecified", |(name, _)| name))
            }
        }
    }

    /// The kind with this name, whose first letter may be of either case.
    fn named(atom: &[u8]) -> Option<Self> {
        let (first, rest) = atom.split_first()?;
        let matches = |name: &str| {
            name.as_bytes()
                .split_first()
                .is_some_and(|(f, r)| f.eq_ignore_ascii_case(first) && r == rest)
        };
        let (_, kind) = Self::KNOWN.into_iter().find(|(name, _)| matches(name))?;
        Some(kind)
    }

    fn from_sexp(sexp: &Sexp) -> Option<Self> {
        match sexp {
            Sexp::Atom(atom) => match Self::named(atom.as_bytes()) {
                Some(kind) => Some(kind),
                // The reference's own constructor for kinds it does not know is not one of them.
                None if matches!(atom.as_bytes(), b"Other" | b"other") => None,
                None => Some(Self::Other(UnknownKind(sexp.clone()))),
            },
            Sexp::List(items) => match items.first()? {
                Sexp::Atom(atom) if Self::named(atom.as_bytes()).is_none() => {
                    Some(Self::Other(UnknownKind(sexp.clone())))
                }
                _ => None,
            },
        }
    }
}

impl CloseReasonV2 {
    /// The kind, understood as far as this version knows it.
    pub fn kind(&self) -> CloseReasonKind {
        CloseReasonKind::from_sexp(&self.kind).unwrap_or_else(|| {
            // Reading has checked that it is acceptable.
            CloseReasonKind::Other(UnknownKind(self.kind.clone()))
        })
    }
}

impl BinRead<'_> for CloseReasonV2 {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let kind = Sexp::bin_read(reader)?;
        if CloseReasonKind::from_sexp(&kind).is_none() {
            let message = ReadErrorKind::Invalid("not an acceptable kind of close reason");
            return Err(reader.error_at(start, message));
        }
        Ok(Self {
            kind,
            debug_info: Option::bin_read(reader)?,
            user_reason: Option::bin_read(reader)?,
        })
    }
}

impl BinWrite for CloseReasonV2 {
    fn bin_size(&self) -> usize {
        self.kind.bin_size() + self.debug_info.bin_size() + self.user_reason.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.kind.bin_write(buffer)?;
        self.debug_info.bin_write(buffer)?;
        self.user_reason.bin_write(buffer)
    }
}

/// Why a side closes: a kind, what the library says, what the user says.
///
/// How it travels depends on the version: not at all below 4, as one [`Info`] up to 9, and as a
/// [`CloseReasonV2`] from 10 (*protocol* §13.1).
///
/// ```
/// use rpc_wire::{CloseReason, ProtocolVersion};
///
/// let reason = CloseReason::user("bye");
/// let body = |version| {
///     let version = ProtocolVersion::new(version).expect("1 to 11");
///     reason.to_message(version).map(|message| bin_prot::to_vec(&message))
/// };
/// assert_eq!(body(3), None);
/// assert_eq!(body(4), Some(Ok(b"\x05\x01\x03bye".to_vec())));
/// assert_eq!(body(10), Some(Ok(b"\x0b\x00\x0bUnspecified\x00\x01\x01\x03bye".to_vec())));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReason {
    /// What kind of closing this is.
    pub kind: CloseReasonKind,
    /// What the library has to say.
    pub debug_info: Option<Info>,
    /// What the user has to say.
    pub user_reason: Option<Info>,
}

impl CloseReason {
    /// A reason in the user's words.
    pub fn user(reason: impl Into<Info>) -> Self {
        Self {
            user_reason: Some(reason.into()),
            ..Self::default()
        }
    }

    /// A reason in the library's words.
    pub fn debug(info: impl Into<Info>) -> Self {
        Self {
            debug_info: Some(info.into()),
            ..Self::default()
        }
    }

    /// The message's content for a peer from version 10.
    pub fn to_v2(&self) -> CloseReasonV2 {
        CloseReasonV2 {
            kind: self.kind.to_sexp(),
            debug_info: self.debug_info.clone(),
            user_reason: self.user_reason.clone(),
        }
    }

    /// The reason as one value: what peers at versions 4 to 9 are sent, and what people are
    /// shown (rules C-RS-3, C-RS-4).
    pub fn to_info(&self) -> Info {
        let body = match (&self.debug_info, &self.user_reason) {
            (None, None) => Info::from(""),
            (Some(info), None) | (None, Some(info)) => info.clone(),
            (Some(debug), Some(user)) => Info::Sexp(Sexp::record([
                ("debug_info", debug.to_sexp()),
                ("user_reason", user.to_sexp()),
            ])),
        };
        match &self.kind {
            CloseReasonKind::Unspecified => body,
            kind => Info::Sexp(Sexp::list([kind.to_sexp(), body.to_sexp()])),
        }
    }

    /// The message that tells a peer at `version`; `None` below version 4.
    pub fn to_message(&self, version: ProtocolVersion) -> Option<crate::Message<'static>> {
        if version.has_structured_close_reason() {
            Some(crate::Message::CloseReasonV2(Box::new(self.to_v2())))
        } else if version.has_close_reason() {
            Some(crate::Message::CloseReason(self.to_info()))
        } else {
            None
        }
    }
}

impl From<CloseReasonV2> for CloseReason {
    fn from(wire: CloseReasonV2) -> Self {
        Self {
            kind: wire.kind(),
            debug_info: wire.debug_info,
            user_reason: wire.user_reason,
        }
    }
}

impl From<Info> for CloseReason {
    /// What a peer at versions 4 to 9 sent (rule C-RS-4).
    fn from(info: Info) -> Self {
        Self::debug(info)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_info().fmt(f)
    }
}
