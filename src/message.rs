//! A message.
