//! What Wasmtime exports for C, and nothing else.
pub use wasmtime_c_api::*;
