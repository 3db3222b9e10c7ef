//! An SMSC simulator.
