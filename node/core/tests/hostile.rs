//! What hostile peers can do to a node: nothing that others notice. Each test says what is bounded and who is still served.

mod world;

#[path = "hostile/clients.rs"]
mod clients;
#[path = "hostile/links.rs"]
mod links;
#[path = "hostile/storers.rs"]
mod storers;
