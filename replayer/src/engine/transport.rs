//! The way out: real connections, or a fake one on paused time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use http1::{Connection, Destination, Exchange, Limits, Method, Opened, Progress, SendError, Sink};

/// What a lane needs of the network.
#[expect(
    async_fn_in_trait,
    reason = "workers are single-threaded, so no bound on the futures is needed"
)]
pub trait Transport: 'static {
    type Connection: 'static;

    /// A connection, and how much later than the kernel this process noticed it: as
    /// [`http1::Opened::late`].
    async fn connect(
        &self,
        deadline: Instant,
    ) -> Result<(Self::Connection, Option<Duration>), SendError>;

    async fn exchange(
        connection: &mut Self::Connection,
        request: &[u8],
        method: Method,
        sink: &mut impl Sink,
    ) -> Result<Exchange, SendError>;

    /// How far the last exchange got, also if it was dropped.
    fn progress(connection: &Self::Connection) -> Progress;
}

/// HTTP/1.1 to a destination.
#[derive(Clone, Debug)]
pub struct Http {
    pub destination: Arc<Destination>,
}

impl Transport for Http {
    type Connection = Connection;

    async fn connect(
        &self,
        deadline: Instant,
    ) -> Result<(Connection, Option<Duration>), SendError> {
        let Opened { connection, late } = Connection::open(&self.destination, deadline).await?;
        Ok((connection, late))
    }

    async fn exchange(
        connection: &mut Connection,
        request: &[u8],
        method: Method,
        sink: &mut impl Sink,
    ) -> Result<Exchange, SendError> {
        connection.exchange(request, method, sink, &Limits::default()).await
    }

    fn progress(connection: &Connection) -> Progress {
        connection.progress()
    }
}
