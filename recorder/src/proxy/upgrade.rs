//! Connections that switch to another protocol, such as WebSockets.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// Passes everything on in both directions until both are closed, one fails, or time is up. It
/// counts as being at work upstream until then.
pub(super) async fn tunnel(
    client: OnUpgrade,
    upstream: OnUpgrade,
    _permit: OwnedSemaphorePermit,
    abandon: CancellationToken,
) {
    let passing = async {
        // A failure of one ends the other; there is nothing to report it to.
        let Ok((client, upstream)) = tokio::try_join!(client, upstream) else { return };
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await;
    };
    tokio::select! {
        () = passing => {}
        () = abandon.cancelled() => {}
    }
}
