//! The sending end of a stream whose handler writes the updates itself, in terms of the model.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use rpc_core::payload::Codec;
use rpc_core::{Flushed, StreamWriteError};
use thiserror::Error;

use crate::conversion::{Conversion, ConversionError, Convert, Version};

/// Writes the updates of one stream, each converted to what the caller's version calls an update
/// (rule V-CE-9): an [`rpc_core::DirectStreamWriter`] of the model.
///
/// Clones are handles to the same stream. Dropping the last one [closes](Self::close) it.
pub struct DirectStreamWriter<U>(Arc<dyn Write<U>>);

/// Why an update was not written.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It has no counterpart in the caller's version. The stream goes on (rule V-CE-7).
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// The writer did not take it.
    #[error(transparent)]
    Write(#[from] StreamWriteError),
}

impl<U> DirectStreamWriter<U> {
    pub(super) fn new<U1, C>(
        writer: rpc_core::DirectStreamWriter<U1, C>,
        version: Version,
        convert: impl Convert<U, U1>,
    ) -> Self
    where
        U1: 'static,
        C: Codec<U1>,
    {
        Self(Arc::new(Converting {
            writer,
            version,
            convert,
        }))
    }

    /// Converts and writes an update.
    ///
    /// # Errors
    /// See [`WriteError`]. The stream is as it was before.
    pub fn write(&self, update: U) -> Result<(), WriteError> {
        self.0.write(update)
    }

    /// [`write`](Self::write); the future waits until the transport has taken everything that was
    /// sent so far, or the writer is closed: see
    /// [`rpc_core::DirectStreamWriter::write_with_pushback`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write_with_pushback(&self, update: U) -> Result<Flushed, WriteError> {
        self.0.write(update)?;
        Ok(self.0.flushed())
    }

    /// Waits until the transport has taken everything that was written so far, or the writer is
    /// closed.
    pub fn flushed(&self) -> Flushed {
        self.0.flushed()
    }

    /// Ends the stream, once: see [`rpc_core::DirectStreamWriter::close`].
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether writes are refused.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until the stream is closed, by whichever side.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl<U> Clone for DirectStreamWriter<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<U> fmt::Debug for DirectStreamWriter<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectStreamWriter")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A writer apart from the type of its updates.
trait Write<U>: Send + Sync {
    fn write(&self, update: U) -> Result<(), WriteError>;

    fn flushed(&self) -> Flushed;

    fn close(&self);

    fn is_closed(&self) -> bool;

    fn closed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

struct Converting<U1, C, F> {
    writer: rpc_core::DirectStreamWriter<U1, C>,
    version: Version,
    convert: F,
}

impl<U, U1, C, F> Write<U> for Converting<U1, C, F>
where
    U1: 'static,
    C: Codec<U1>,
    F: Convert<U, U1>,
{
    fn write(&self, update: U) -> Result<(), WriteError> {
        let convert = || (self.convert)(update);
        let update = self.version.run(Conversion::Response, convert)?;
        Ok(self.writer.write(&update)?)
    }

    fn flushed(&self) -> Flushed {
        self.writer.flushed()
    }

    fn close(&self) {
        self.writer.close();
    }

    fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    fn closed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.writer.closed())
    }
}
