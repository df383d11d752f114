//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Completes at the first SIGINT or SIGTERM after the call. A second one ends the process at once, for those
/// who cannot wait for connections to end.
pub(crate) fn requested() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let watch = |kind| signal(kind).map_err(|error| Failure::run("watching for signals", error));
    let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
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
