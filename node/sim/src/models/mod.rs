//! Small models of Oboro's ancestors, and the attacks that were published against them.
