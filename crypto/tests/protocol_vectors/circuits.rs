//! Circuits as they are written down: every body and cell at every hop.

use oboro_crypto::circuit::{self, ClientCircuit, Hop, RelayCircuit};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::keys::OnionKey;
use oboro_crypto::{NetworkId, NodeId};

use crate::FILE;
use crate::reader::{decode, each, hex};
use crate::script::Script;

#[test]
fn circuits_are_built_and_carry_cells_as_described() {
    each(FILE, "circuit", |vector| {
        let network = NetworkId(vector.array("network"));
        let nodes = vector.all("node");
        let onions: Vec<OnionKey> = numbered("onion-secret", nodes.len())
            .map(|field| OnionKey::generate(&mut Script::of(vector, &[&field])))
            .collect();
        let publics = onions.iter().map(|onion| hex(onion.public().0));
        vector.are("onion-public", &publics.collect::<Vec<_>>());
        let hop = |(node, onion): (&&str, &OnionKey)| Hop {
            node: NodeId(decode(node).try_into().unwrap()),
            onion: onion.public(),
        };
        let path: Vec<Hop> = nodes.iter().zip(&onions).map(hop).collect();

        // Chance in the order in which it is drawn: two for each hop, two for what no hop fills.
        let (ephemerals, layers) = (
            numbered("client-ephemeral", path.len()),
            numbered("layer-key", path.len()),
        );
        let mut fields: Vec<String> = ephemerals
            .zip(layers)
            .flat_map(|(ephemeral, layer)| [ephemeral, layer])
            .collect();
        fields.extend(["fill-key".to_owned(), "unfilled".to_owned()]);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let mut chance = Script::of(vector, &fields);
        let minute = vector.value("minute");
        let (pending, mut body) = circuit::create(&path, &network, minute, &mut chance).unwrap();

        let (mut creates, mut relays) = (Vec::new(), Vec::new());
        for (onion, field) in onions.iter().zip(numbered("answer-ephemeral", path.len())) {
            creates.push(hex(&body));
            let mut chance = Script::of(vector, &[&field]);
            let accepted = circuit::accept(&[onion], &network, &body, &mut chance).unwrap();
            assert_eq!(accepted.minute, minute);
            body = accepted.next.map(|(_, body)| body).unwrap_or_default();
            relays.push(accepted.relay);
        }
        vector.are("create", &creates);

        let mut chance = Script::of(vector, &["created-end"]);
        let mut createds: Vec<Vec<u8>> = Vec::new();
        for relay in relays.iter_mut().rev() {
            let from_next = createds.first().map(Vec::as_slice);
            createds.insert(0, relay.created(from_next, &mut chance).unwrap());
        }
        let mut client = pending.finish(&createds[0]).unwrap();
        vector.are("created", &createds.iter().map(hex).collect::<Vec<_>>());

        for field in ["forward-0", "forward-1"] {
            let cells = forward(&mut client, &mut relays, &vector.bytes("forward-payload"));
            vector.are(field, &cells);
        }
        for field in ["backward-0", "backward-1"] {
            let cells = backward(&mut client, &mut relays, &vector.bytes("backward-payload"));
            vector.are(field, &cells);
        }
    });
}

/// The first bytes of the cell that each hop receives and the digest of all, first the guard's.
fn forward(client: &mut ClientCircuit, relays: &mut [RelayCircuit], payload: &[u8]) -> Vec<String> {
    let (exit, between) = relays.split_last_mut().unwrap();
    let (mut cell, mut cells) = (Vec::new(), Vec::new());
    client.seal(payload, &mut cell).unwrap();
    for relay in between {
        cells.push(described(&cell));
        relay.peel(&mut cell).unwrap();
    }
    cells.push(described(&cell));
    assert!(exit.open(&mut cell).unwrap().starts_with(payload));
    cells
}

/// The same of the cell that each hop sends towards the client, first the guard's.
fn backward(
    client: &mut ClientCircuit,
    relays: &mut [RelayCircuit],
    payload: &[u8],
) -> Vec<String> {
    let (exit, between) = relays.split_last_mut().unwrap();
    let mut cell = Vec::new();
    exit.seal(payload, &mut cell).unwrap();
    let mut cells = vec![described(&cell)];
    for relay in between.iter_mut().rev() {
        relay.wrap(&mut cell).unwrap();
        cells.insert(0, described(&cell));
    }
    assert!(client.open(&mut cell).unwrap().starts_with(payload));
    cells
}

fn described(cell: &[u8]) -> String {
    format!("{} {}", hex(&cell[..32]), hex(blake2b_256(cell)))
}

/// The names of fields that hops have one each of.
fn numbered(field: &'static str, hops: usize) -> impl Iterator<Item = String> {
    (1..=hops).map(move |hop| format!("{field}-{hop}"))
}
