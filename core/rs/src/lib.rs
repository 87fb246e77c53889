//! Reporting Server: facts become calls; pure.
