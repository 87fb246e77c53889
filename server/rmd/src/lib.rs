//! The Resource Manager daemon: engine loop, transport, publish, HTTP.
