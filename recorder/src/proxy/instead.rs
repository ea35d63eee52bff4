//! Requests that are answered here in the place of the upstream.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Response, StatusCode};

use super::answer_body::AnswerBody;
use super::beginnings::Inside;

/// What knows some answers.
pub trait Instead: Send + Sync {
    /// The answer to a request that is not to be passed on.
    fn answer(&self, method: &Method, path: &str) -> Option<Given>;
}

/// An answer that is given here.
#[derive(Debug)]
pub struct Given {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From when the request began.
    pub after: Duration,
}

impl Given {
    /// Gives it once the request has been read to its end, so that its connection can be used again.
    pub(super) async fn give(
        self,
        began: Instant,
        mut request: Incoming,
        inside: Option<Inside>,
    ) -> Response<AnswerBody> {
        while let Some(Ok(_)) = request.frame().await {}
        drop(inside);
        tokio::time::sleep_until(tokio::time::Instant::from_std(began) + self.after).await;
        let mut response = Response::new(AnswerBody::Own(Some(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
