//! Connections that leave HTTP for another protocol (RFC 9110 §7.8).
//!
//! actix-web would speak that protocol through the bodies of request and answer, with the buffers of HTTP beneath it, 8 KB each
//! way, for as long as the connection lives. Here the connection itself goes to whoever agreed to the change.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use actix_codec::Framed;
use actix_http::body::{BodySize, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Request, Response};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::web::BytesMut;
use actix_web::{Error, HttpMessage, HttpRequest};
use futures_util::SinkExt;
use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;

/// HTTP on a connection that may leave it.
pub type Connection = Framed<TcpStream, Codec>;

type Talk = Box<dyn FnOnce(TcpStream, BytesMut) -> LocalBoxFuture<'static, ()>>;

/// What is to become of the connection of a request.
#[derive(Clone)]
struct Agreed(Rc<RefCell<Option<Talk>>>);

/// Has `talk` take over the connection once the answer to `request`, a 101, is sent. It gets the bytes too that the client has
/// sent in advance.
pub fn agree<F>(request: &HttpRequest, talk: impl FnOnce(TcpStream, BytesMut) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let talk: Talk = Box::new(move |stream, read| Box::pin(talk(stream, read)));
    request.extensions_mut().insert(Agreed(Rc::new(RefCell::new(Some(talk)))));
}

/// Answers a request for another protocol as the application does, and goes over to it if the application has agreed. Else the
/// connection is closed: what comes on it next may be anything.
///
/// # Errors
/// None. A connection that breaks off is its client's affair.
pub async fn serve<S>(app: S, request: Request, connection: Connection) -> Result<(), Error>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    // In a box of its own, to be gone while the talk lasts.
    match Box::pin(answer(app, request, connection)).await {
        Ok(Some(talk)) => talk.await,
        Ok(None) => {}
        Err(error) => log::debug!("a connection broke off: {error}"),
    }
    Ok(())
}

async fn answer<S>(
    app: S,
    request: Request,
    mut connection: Connection,
) -> Result<Option<LocalBoxFuture<'static, ()>>, Error>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let (agreed, answer) = match app.call(request).await {
        Ok(answered) => {
            let (request, answer) = answered.into_parts();
            let agreed = request.extensions_mut().remove::<Agreed>();
            (agreed.and_then(|agreed| agreed.0.take()), answer)
        }
        Err(error) => (None, error.error_response()),
    };
    let (mut head, body) = Response::from(answer).into_parts();
    if let Some(talk) = agreed {
        connection.send(Message::Item((head, BodySize::None))).await?;
        let parts = connection.into_parts();
        // A copy of what there is, since the buffer itself is large.
        return Ok(Some(talk(parts.io, BytesMut::from(parts.read_buf.as_ref()))));
    }
    head.head_mut().set_connection_type(ConnectionType::Close);
    connection.send(Message::Item((head, body.size()))).await?;
    let mut body = pin!(body);
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        connection.send(Message::Chunk(Some(chunk?))).await?;
    }
    connection.send(Message::Chunk(None)).await?;
    connection.close().await?;
    Ok(None)
}
