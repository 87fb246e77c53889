//! Port 8888 over real sockets, asked by hand and by OpenSSL.

mod access;
mod audited;
mod bodies;
mod bounds;
mod house;
mod lists;
mod openapi;
mod restore;
mod rights;
mod scenarios;
mod scoped;
mod secure;
mod stream;
