//! The scripted gateway against the recorded ones.
