//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Completes at the first SIGINT, SIGTERM or SIGHUP (the terminal was closed) after the call. A second one ends the process at once, for those
/// who cannot wait for connections to end.
pub(crate) fn requested() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let watch = |kind| signal(kind).map_err(|error| Failure::run("watching for signals", error));
    let (mut interrupt, mut terminate, mut hang_up) = (
        watch(SignalKind::interrupt())?,
        watch(SignalKind::terminate())?,
        watch(SignalKind::hangup())?,
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            match stop.take() {
                Some(stop) => {
                    tracing::info!("stopping; once more to stop at once");
                    let _ = stop.send(());
                }
                None => std::process::exit(130),
            }
        }
    });
    Ok(async move {
        let _ = stopped.await;
    })
}
