//! The least that a service does: what `scripts/bench-edges.sh` takes off what a request to the edge costs.

#![forbid(unsafe_code)]

use fastly::{Request, Response, http::serve::Serve};

fn main() {
    // As the edge itself does, an instance answers several.
    Serve::new()
        .with_max_requests(16)
        .run(|_request: Request| Response::from_body("hello").send_to_client());
}
