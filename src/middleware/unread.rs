//! Bodies that nobody read: actix would go on reading a chunked one without end, for as long as its sender likes.
//!
//! While the payload is still held when the answer is sent, actix knows the body as unread, answers with
//! `Connection: close` and closes. So the answer's body holds it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::Stream;

/// A payload that the handler reads and the answer holds.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Payload>>);

/// Shares the payload of a chunked request; others say how long they are, and end by themselves.
pub fn share(request: &mut ServiceRequest) -> Option<Shared> {
    if !request.headers().contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let shared = Shared(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(shared.clone()) });
    Some(shared)
}

impl Shared {
    /// The same answer, holding the payload until it is sent.
    pub fn held_by(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Holding { body, _payload: self })
    }
}

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.try_borrow_mut() {
            Ok(mut payload) => Pin::new(&mut *payload).poll_next(context),
            Err(_) => Poll::Ready(None),
        }
    }
}

struct Holding {
    body: BoxBody,
    _payload: Shared,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
