//! As much gRPC as reading containerd needs: one request, one answer or a stream of them.
//!
//! Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md), "Requests" and "Responses". A status that comes after the first message is
//! in trailers, which the client here does not show; so whoever reads a stream must know how long it is.

use std::io::{self, Read};

use percent_encoding::percent_decode_str;
use prost::Message;
use reqwest::blocking::Response;

use crate::body::EngineBody;
use crate::error::EngineError;
use crate::http::{Engine, printable};

/// The longest message. containerd sends content in pieces of 1 MiB, and refuses messages above 16 MiB itself.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// The code that means "there is no such thing". Source: gRPC's "Status codes".
const NOT_FOUND: &str = "5";

/// The messages of one answer.
#[derive(Debug)]
pub(crate) struct Messages {
    body: EngineBody,
}

impl Engine {
    /// Asks `method` (`package.Service/Method`) in a namespace.
    pub(crate) fn call(
        &self,
        method: &str,
        namespace: &str,
        request: &impl Message,
        what: &str,
    ) -> Result<Messages, EngineError> {
        let message = request.encode_to_vec();
        let mut framed = vec![0];
        framed.extend((message.len() as u32).to_be_bytes());
        framed.extend(message);
        let response = self.post(method, namespace, framed, what)?;
        self.accepted(&response, what)?;
        Ok(Messages { body: EngineBody::new(response) })
    }

    /// Asks for the one message that answers a request.
    pub(crate) fn ask<T: Message + Default>(
        &self,
        method: &str,
        namespace: &str,
        request: &impl Message,
        what: &str,
    ) -> Result<T, EngineError> {
        let mut messages = self.call(method, namespace, request, what)?;
        let failed = |source| EngineError::Body { engine: self.kind, what: what.into(), source };
        let bytes = messages.next().map_err(failed)?.ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
        T::decode(bytes.as_slice()).map_err(|error| self.malformed(what, &error.to_string()))
    }

    fn accepted(&self, response: &Response, what: &str) -> Result<(), EngineError> {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        match header("grpc-status") {
            None | Some("0") => {}
            Some(NOT_FOUND) => return Err(EngineError::NotFound { engine: self.kind, what: what.into() }),
            Some(status) => {
                let message = percent_decode_str(header("grpc-message").unwrap_or_default()).decode_utf8_lossy();
                return Err(EngineError::Status {
                    engine: self.kind,
                    status: printable(status),
                    what: what.into(),
                    message: printable(&message),
                });
            }
        }
        match header("content-type") {
            Some(kind) if kind.starts_with("application/grpc") => Ok(()),
            _ => Err(self.malformed(what, "it is no gRPC")),
        }
    }
}

impl Messages {
    /// The next message; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let invalid = |detail: &str| io::Error::new(io::ErrorKind::InvalidData, detail.to_owned());
        let mut head = [0; 5];
        if self.body.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        self.body.read_exact(&mut head[1..])?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if head[0] != 0 {
            return Err(invalid("a message is compressed, which was not asked for"));
        }
        if length > MESSAGE_BYTES_MAX {
            return Err(invalid("a message is longer than 16 MiB"));
        }
        let mut message = Vec::new();
        (&mut self.body).take(length as u64).read_to_end(&mut message)?;
        match message.len() == length {
            true => Ok(Some(message)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
