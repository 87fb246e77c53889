//! OpenWire loose codec and both ends of one connection; pure.
