//! What a session does while the MTA still has the message before.

use std::time::Instant;

use super::*;

#[test]
fn the_next_message_is_taken_while_the_server_has_the_one_before() {
    let feed = Numbers::up_to(5);
    let told = Arc::clone(&feed.told);
    let deadline = Instant::now() + Duration::from_mins(1);
    let server = serve(Arc::new(move |_, line| {
        let number = line.parse::<usize>();
        while let Ok(number) = number
            && told.lock().unwrap().next < number + 2
        {
            if Instant::now() > deadline {
                return Some("554 the next message is not asked for".to_owned());
            }
            thread::yield_now();
        }
        Some(yes(line))
    }));
    run(&feed, server, 1);
    assert_eq!(feed.count(is_delivered), 5);
}

/// Messages that go in two parts.
struct Large(Numbers);

impl Feed for Large {
    type Parcel = Parcel;

    fn next(&self) -> Option<Parcel> {
        let mut parcel = self.0.next()?;
        let address = |n| Address::parse(format!("a{n}@x").as_bytes()).unwrap();
        parcel.envelope.recipients = (0..=crate::delivery::smtp::MOST_RECIPIENTS)
            .map(address)
            .collect();
        Some(parcel)
    }

    fn offer<'p>(&self, parcel: &'p Parcel) -> Offer<'p> {
        self.0.offer(parcel)
    }

    fn record(&self, _: &Parcel, _: &[&Address]) -> io::Result<()> {
        Ok(())
    }

    fn settle(&self, parcel: Parcel, outcomes: Vec<Outcome>, success: Success) {
        self.0.settle(parcel, outcomes, success);
    }
}

#[test]
fn behind_a_message_in_two_parts_one_message_is_taken() {
    let feed = Large(Numbers::up_to(3));
    let (server, contents) = counting();
    run(&feed, server, 1);
    assert_eq!(contents.load(Ordering::SeqCst), 6);
    let each = crate::delivery::smtp::MOST_RECIPIENTS + 1;
    assert_eq!(feed.0.count(is_delivered), 3 * each);
}
