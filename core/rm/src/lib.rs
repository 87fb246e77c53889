//! Resource Manager: one call as one sentence; pure.
