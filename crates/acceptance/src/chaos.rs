//! The proof of what the bridge promises: the built daemon between the stand-ins, hurt in every way we know.
//!
//! A [`world`] is the daemon as a child process, and both stand-ins in this one. Customers write messages that
//! are each their own [`token`], and the scripted agent answers with the tokens that it was asked, so a reply that is
//! lost, doubled or misdelivered is seen for what it is. A [`scenario`] does one kind of harm; [`crash`] kills the
//! daemon at every durable step in turn. What held is decided by [`judge`], from the stand-ins' own records alone.
//! [`suite`] runs everything side by side, and [`table`] prints it.

pub mod blueprint;
pub mod crash;
pub mod health;
pub mod judge;
pub mod scenario;
pub mod suite;
pub mod table;
pub mod token;
pub mod wall;
pub mod way;
pub mod world;
