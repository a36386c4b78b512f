//! Clients of a storer: puts that are wrong or never end, questions that make no sense, sessions that never begin.
