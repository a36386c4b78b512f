//! What a command may tell the user while it works. Commands know this and no terminal.

use std::io::Read;

use oboro_node::api::{Failure, Job};

use crate::data::Data;
use crate::halt::Halt;

/// Where talk, progress and early data go.
pub trait Ui {
    /// One line of talk.
    fn say(&mut self, line: &str);

    /// How a running job stands; called again and again.
    fn progress(&mut self, job: &Job);

    /// No job runs any more: clears what `progress` drew.
    fn progress_over(&mut self);

    /// Part of a result, as soon as it is there. In JSON it comes with the whole at the end only. A reader who has
    /// gone doesn't stop the work; he merely gets no more.
    ///
    /// # Errors
    /// Stdout can't be written.
    fn early(&mut self, part: &Data) -> Result<(), Halt>;

    /// A whole result, one of several: an envelope of its own in JSON.
    ///
    /// # Errors
    /// [`Halt::Closed`], or stdout can't be written.
    fn show(&mut self, data: Data) -> Result<(), Halt>;

    /// Bytes as they are.
    ///
    /// # Errors
    /// [`Halt::Closed`]; `source` can't be read or stdout can't be written.
    fn pour(&mut self, source: &mut dyn Read) -> Result<(), Halt>;

    /// For the process that started this one: one envelope on stdout, whatever the user asked for.
    fn report(&mut self, result: Result<Data, &Failure>);
}
