//! Converted updates that are handed to a callback where they are read.

use rpc_core::PipeResponse;

use crate::conversion::{Conversion, ConversionError, Convert, Version};
use crate::error::CallError;

/// What a callback is called with: any number of converted updates, and then the end, once.
#[derive(Clone, Debug)]
pub enum PipeMessage<U> {
    /// One update.
    Update(U),
    /// The stream is over: ended by the callee, or broken. An update that cannot be converted
    /// breaks it (rule V-CA-8).
    Closed(Result<(), CallError>),
}

pub(super) type Callback<U> = Box<dyn FnMut(PipeMessage<U>) -> PipeResponse + Send>;

/// A callback for unconverted updates, which breaks the stream off at one that cannot be converted.
pub(super) fn converting<U1, U>(
    version: Version,
    convert: impl Convert<U1, U>,
    mut callback: Callback<U>,
) -> impl FnMut(rpc_core::PipeMessage<U1>) -> PipeResponse + Send {
    let mut failure = None;
    move |message| match message {
        rpc_core::PipeMessage::Update(update) => {
            match version.run(Conversion::Response, || convert(update)) {
                Ok(update) => callback(PipeMessage::Update(update)),
                Err(error) => break_off(&mut failure, error),
            }
        }
        rpc_core::PipeMessage::Closed(result) => {
            let result = match failure.take() {
                Some(failure) => Err(CallError::Conversion(failure)),
                None => result.map_err(|error| CallError::dispatch(version, error)),
            };
            callback(PipeMessage::Closed(result))
        }
    }
}

/// The same on top of it.
pub(super) fn mapping<U, V: 'static>(
    version: Version,
    convert: impl Convert<U, V>,
    mut callback: Callback<V>,
) -> Callback<U> {
    let mut failure = None;
    Box::new(move |message| match message {
        PipeMessage::Update(update) => {
            match version.run(Conversion::Response, || convert(update)) {
                Ok(update) => callback(PipeMessage::Update(update)),
                Err(error) => break_off(&mut failure, error),
            }
        }
        PipeMessage::Closed(result) => {
            let result = match failure.take() {
                Some(failure) => Err(CallError::Conversion(failure)),
                None => result,
            };
            callback(PipeMessage::Closed(result))
        }
    })
}

/// The end that follows will tell the callback.
fn break_off(failure: &mut Option<ConversionError>, error: ConversionError) -> PipeResponse {
    let response = PipeResponse::Fail(error.clone().raise());
    *failure = Some(error);
    response
}
