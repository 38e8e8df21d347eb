//! Plain and one-way RPCs, the callee's side.

use std::sync::{Arc, Mutex};

use rpc_core::{Implementation, Implementations, OnException, OneWay, Rpc};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{Registered, callee_converts};
use rpc_wire::{Description, ProtocolVersion};

use crate::families::{Note, Notes, PRICE_1, PRICE_2, price, price_callee, price_caller};
use crate::pair::{assert_uncaught, on_purpose, pair, serving, settle};

static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
static SQUARE_1: Rpc<i64, i64> = Rpc::new("square", 1);
static SQUARE_2: Rpc<i64, Result<i64, String>> = Rpc::new("square", 2);
static LOG: OneWay<i64> = OneWay::new("log", 1);

/// What was told of new versions.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<(&'static str, i64)>>>);

impl Told {
    fn listen(&self) -> impl Fn(&Registered) + Send + Sync + use<> {
        let told = self.clone();
        move |rpc| told.0.lock().unwrap().push((rpc.name(), rpc.version()))
    }

    fn take(&self) -> Vec<(&'static str, i64)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// V-CE-1, V-CE-2, ZV9: one implementation for each version, which is told to the function; the
/// callback once for each version over two connections, and again after a second `implement`.
#[tokio::test(start_paused = true)]
async fn new_versions_are_told_once_for_each_set_of_implementations() {
    let told = Told::default();
    let family = price_callee(&[1, 2, 3]).on_new_version(told.listen());
    let implement =
        || family.implement(|_, version, query| async move { Ok(price(version, query)) });
    let implementations = implement();
    let descriptions: Vec<_> = implementations
        .iter()
        .map(Implementation::description)
        .collect();
    assert_eq!(descriptions.len(), 3);
    let table = || {
        Implementations::builder()
            .implementations(implement())
            .build()
            .unwrap()
    };
    let first = table();
    for (table, expected) in [
        (&first, vec![("price", 1), ("price", 2)]),
        (&first, vec![]),
        (&table(), vec![("price", 1), ("price", 2)]),
    ] {
        let (caller, _callee) = pair(ProtocolVersion::MAX, table, Notes::default()).await;
        for _ in 0..2 {
            let answer = PRICE_1.dispatch(&caller, &"AB".to_owned()).await;
            assert_eq!(answer.unwrap(), 201);
            let answer = PRICE_2.dispatch(&caller, &("AB".to_owned(), None)).await;
            assert_eq!(answer.unwrap(), 202);
        }
        assert_eq!(told.take(), expected);
    }
}

/// V-CE-2: it is told before the conversion, so also of a query that cannot be converted; its panic
/// concerns nobody.
#[tokio::test(start_paused = true)]
async fn new_version_is_told_before_the_query_is_converted() {
    let told = Told::default();
    let fails = callee_converts::Rpc::<(), String, String>::builder("echo")
        .version(&ECHO, |_| Err(Unconvertible::new("no")), Ok)
        .build()
        .unwrap()
        .on_new_version(told.listen());
    let (caller, _callee) = serving(fails.implement_blocking(|_, _, text| Ok(text)), ()).await;
    let error = ECHO
        .dispatch(caller.connection(), &String::new())
        .await
        .unwrap_err();
    assert_uncaught(&error, "Query", &ECHO.description());
    assert_eq!(told.take(), [("echo", 1)]);

    let panics = callee_converts::Rpc::<(), String, String>::builder("echo")
        .version_from(&ECHO)
        .build()
        .unwrap()
        .on_new_version(|rpc| panic!("told of {rpc:?}"));
    let (caller, _callee) = serving(panics.implement_blocking(|_, _, text| Ok(text)), ()).await;
    for _ in 0..2 {
        let answer = ECHO.dispatch(caller.connection(), &"well".to_owned()).await;
        assert_eq!(answer.unwrap(), "well");
    }
}

/// The same for messages.
#[tokio::test(start_paused = true)]
async fn new_versions_of_messages_are_told() {
    let told = Told::default();
    let family = crate::families::note_callee(&[1, 2]).on_new_version(told.listen());
    let (caller, _callee) = serving(
        family.implement(|_, _, _| async { Ok(()) }),
        Notes::default(),
    )
    .await;
    let note = Note {
        text: "a".to_owned(),
        level: 1,
    };
    crate::families::note_caller(&[2])
        .dispatch(&caller, note.clone())
        .unwrap();
    crate::families::note_caller(&[2])
        .dispatch(&caller, note)
        .unwrap();
    settle().await;
    assert_eq!(told.take(), [("note", 2)]);
}

/// Fails of 13, panics of 14.
fn unlucky(number: i64) -> Result<i64, Unconvertible> {
    match number {
        13 => Err(Unconvertible::new("thirteen")),
        14 => panic!("fourteen"),
        _ => Ok(number),
    }
}

/// V-CE-3, V-CE-4, ZV10: queries and responses of plain RPCs, by handlers that suspend, that do not,
/// and that block; each is *Uncaught_exn* for its caller, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn failed_conversions_are_uncaught_exceptions() {
    let family = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version(&SQUARE_1, unlucky, |response| unlucky(response - 3))
        .build()
        .unwrap();
    for implementations in [
        family.implement(|(), _, number| async move { Ok(number * number) }),
        family.implement(|(), _, number| async move {
            tokio::task::yield_now().await;
            Ok(number * number)
        }),
        family.implement_blocking(|(), _, number| Ok(number * number)),
    ] {
        let (caller, _callee) = serving(implementations, ()).await;
        let connection = caller.connection();
        for (query, conversion) in [(13, "Query"), (14, "Query"), (4, "Response")] {
            let error = SQUARE_1.dispatch(connection, &query).await.unwrap_err();
            assert_uncaught(&error, conversion, &SQUARE_1.description());
            assert_eq!(SQUARE_1.dispatch(connection, &5).await.unwrap(), 22);
        }
        assert_eq!(connection.open_queries(), 0);
    }
    let panicking = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version(&SQUARE_1, Ok, |response| unlucky(response - 2))
        .build()
        .unwrap();
    let implementations = panicking.implement_blocking(|(), _, number| Ok(number * number));
    let (caller, _callee) = serving(implementations, ()).await;
    let error = SQUARE_1
        .dispatch(caller.connection(), &4)
        .await
        .unwrap_err();
    assert_uncaught(&error, "Response", &SQUARE_1.description());
}

/// V-CE-2, V-CE-3: queries that come together, of which some suspend, some fail and some cannot be
/// converted, are answered each for itself.
#[tokio::test(start_paused = true)]
async fn queries_that_come_together_are_answered_each() {
    let told = Told::default();
    let family = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version(&SQUARE_1, unlucky, |response| unlucky(response - 3))
        .build()
        .unwrap()
        .on_new_version(told.listen());
    let implementations = family.implement(|(), version, number| async move {
        match number % 5 {
            0 => tokio::task::yield_now().await,
            1 => return Err(on_purpose()),
            2 if number == 12 => panic!("on purpose"),
            _ => {}
        }
        Ok(number * number * version)
    });
    let (caller, _callee) = serving(implementations, ()).await;
    let connection = caller.connection();
    // Ids that are encoded alike follow, so that queries are taken to be alike.
    for _ in 0..200 {
        assert_eq!(SQUARE_1.dispatch(connection, &3).await.unwrap(), 6);
    }
    for count in [1, 40] {
        let ask = |number| (number, SQUARE_1.dispatch(connection, &number));
        let calls: Vec<_> = (0..count).map(ask).collect();
        for (number, call) in calls {
            let answer = call.await;
            match number {
                13 | 14 => assert_uncaught(&answer.unwrap_err(), "Query", &SQUARE_1.description()),
                4 => assert_uncaught(&answer.unwrap_err(), "Response", &SQUARE_1.description()),
                12 => assert!(answer.unwrap_err().to_string().contains("on purpose")),
                _ if number % 5 == 1 => {
                    assert!(answer.unwrap_err().to_string().contains("on purpose"));
                }
                _ => assert_eq!(answer.unwrap(), number * number - 3),
            }
        }
        assert_eq!(connection.open_queries(), 0);
    }
    assert_eq!(told.take(), [("square", 1)]);
}

/// V-CE-3, V-BA-4: the policy is the table's, unless an implementation has its own.
#[tokio::test(start_paused = true)]
async fn policies_are_the_tables() {
    let family = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version(&SQUARE_1, unlucky, Ok)
        .build()
        .unwrap();
    let implement = || family.implement_blocking(|(), _, number| Ok(number * number));
    let raised = Arc::new(Mutex::new(Vec::new()));
    let noted = raised.clone();
    let policy = OnException::call(move |exception| {
        noted.lock().unwrap().push(exception.rpc.to_string());
    });
    let table = Implementations::builder()
        .implementations(implement())
        .on_exception(policy)
        .build()
        .unwrap();
    let (caller, _callee) = pair(ProtocolVersion::MAX, &table, ()).await;
    SQUARE_1.dispatch(&caller, &13).await.unwrap_err();
    assert_eq!(*raised.lock().unwrap(), ["square version 1"]);

    let closing = implement().into_iter();
    let closing = closing.map(|one| one.on_exception(OnException::CloseConnection));
    let (caller, callee) = serving(closing, ()).await;
    SQUARE_1
        .dispatch(caller.connection(), &13)
        .await
        .unwrap_err();
    callee.closed().await;
}

/// A handler's own failure is no conversion's, and the version's conversion does not see it.
#[tokio::test(start_paused = true)]
async fn handlers_failure_stays_what_it_is() {
    let family = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version_from(&SQUARE_1)
        .version_with_failure(&SQUARE_2, Ok, Ok)
        .build()
        .unwrap();
    for implementations in [
        family.implement(|(), _, _| async { Err(on_purpose()) }),
        family.implement_blocking(|(), _, _| Err(on_purpose())),
    ] {
        let (caller, _callee) = serving(implementations, ()).await;
        let error = SQUARE_1
            .dispatch(caller.connection(), &1)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("(Failure\"on purpose\")"),
            "{error}"
        );
        let error = SQUARE_2
            .dispatch(caller.connection(), &1)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("(Failure\"on purpose\")"),
            "{error}"
        );
    }
}

/// V-CE-10, ZV14: *with failure*: the text is the response.
#[tokio::test(start_paused = true)]
async fn version_with_failure_tells_the_text() {
    let family = callee_converts::Rpc::<(), i64, i64>::builder("square")
        .version_from(&SQUARE_1)
        .version_with_failure(&SQUARE_2, unlucky, |response| unlucky(response - 3))
        .build()
        .unwrap();
    for implementations in [
        family.implement(|(), _, number| async move { Ok(number * number) }),
        family.implement_blocking(|(), _, number| Ok(number * number)),
    ] {
        let (caller, _callee) = serving(implementations, ()).await;
        let connection = caller.connection();
        for (query, expected) in [
            (5, Ok(22)),
            (13, Err("thirteen")),
            (14, Err("fourteen")),
            (4, Err("thirteen")),
        ] {
            let answer = SQUARE_2.dispatch(connection, &query).await.unwrap();
            assert_eq!(answer, expected.map_err(str::to_owned), "{query}");
        }
    }
}

/// V-CE-5, ZV10: a message that cannot be converted closes its connection, unless an implementation
/// has another policy; the handler does not run.
#[tokio::test(start_paused = true)]
async fn bad_message_closes_the_connection() {
    let family = callee_converts::OneWay::<Arc<Mutex<Vec<i64>>>, i64>::builder("log")
        .version(&LOG, unlucky)
        .build()
        .unwrap();
    let implement = || {
        family.implement(|log, version, number| {
            assert_eq!(version, 1);
            log.lock().unwrap().push(number);
            async { Ok(()) }
        })
    };
    for bad in [13, 14] {
        let log = Arc::default();
        let (caller, callee) = serving(implement(), Arc::clone(&log)).await;
        LOG.dispatch(caller.connection(), &1).unwrap();
        settle().await;
        assert!(!callee.is_closed());
        LOG.dispatch(caller.connection(), &bad).unwrap();
        let closed = callee.closed().await;
        assert!(
            closed.to_string().contains("type conversion failure"),
            "{closed}"
        );
        assert_eq!(*log.lock().unwrap(), [1]);

        let log = Arc::default();
        let tolerant = implement()
            .into_iter()
            .map(|one| one.on_exception(OnException::Log));
        let (caller, callee) = serving(tolerant, Arc::clone(&log)).await;
        LOG.dispatch(caller.connection(), &bad).unwrap();
        LOG.dispatch(caller.connection(), &2).unwrap();
        settle().await;
        assert!(!callee.is_closed());
        assert_eq!(*log.lock().unwrap(), [2]);
    }
}

/// The state is the connection's, and may be lifted as that of any implementation.
#[tokio::test(start_paused = true)]
async fn implementations_can_be_lifted() {
    let family = callee_converts::Rpc::<String, i64, i64>::builder("square")
        .version_from(&SQUARE_1)
        .build()
        .unwrap();
    let implementations =
        family.implement_blocking(|name, _, number| Ok(number * i64::try_from(name.len())?));
    let lifted = implementations
        .into_iter()
        .map(|one| one.lift(|names: &Vec<String>, _| names.concat()));
    let names = vec!["ab".to_owned(), "c".to_owned()];
    let (caller, _callee) = serving(lifted, names).await;
    assert_eq!(
        SQUARE_1.dispatch(caller.connection(), &7).await.unwrap(),
        21
    );
}

/// V-RQ-1 with a callee that converts: the menu lists all of its versions.
#[tokio::test(start_paused = true)]
async fn all_versions_are_on_the_menu() {
    let implementations =
        price_callee(&[3, 1]).implement_blocking(|_, version, query| Ok(price(version, query)));
    let (caller, _callee) = serving(implementations, Notes::default()).await;
    let expected = [Description::new("price", 1), Description::new("price", 3)];
    assert!(caller.menu().descriptions().eq(&expected));
    let query = crate::families::Query {
        symbol: "A".to_owned(),
        currency: "EUR".to_owned(),
    };
    let answer = price_caller(&[1, 2, 3])
        .dispatch(&caller, query)
        .await
        .unwrap();
    assert_eq!((answer.px, &answer.ccy[..]), (103, "EUR"));
}
