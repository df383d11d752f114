//! Who runs first where there are fewer cores than threads.

use rustix::process::setpriority_process;

/// While it lives, this thread runs before others that want the same core.
///
/// Players are machines of their own. Here they are one thread beside the server's on the same cores, and what is
/// measured is when an answer is there, not when that thread gets its turn to notice.
#[derive(Debug)]
pub(crate) struct Precedence(());

impl Precedence {
    /// Who may not have it does without, and measures longer times.
    pub(crate) fn of_this_thread() -> Self {
        // Linux takes no process for the calling thread.
        let _ = setpriority_process(None, -10);
        Self(())
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        let _ = setpriority_process(None, 0);
    }
}
