use proptest::prelude::*;

use super::*;

const SUNDAY: u8 = 0;
const MONDAY: u8 = 1;
const SATURDAY: u8 = 6;

fn at(weekday: u8, clock: u16) -> LocalTime {
    let part = |n: u16| u8::try_from(n).unwrap();
    LocalTime::new(weekday, part(clock / 100), part(clock % 100))
}

fn times(text: &str) -> TimeSet {
    Timetables::default().parse(text).unwrap()
}

#[test]
fn time_strings_name_moments() {
    for (text, moment, wanted) in [
        ("Any", at(SUNDAY, 0), true),
        ("any", at(SATURDAY, 2359), true),
        ("Wk", at(SUNDAY, 1200), false),
        ("Wk", at(MONDAY, 1200), true),
        ("Never", at(MONDAY, 1200), false),
        ("None", at(MONDAY, 1200), false),
        ("Any0800-1700", at(MONDAY, 759), false),
        ("Any0800-1700", at(MONDAY, 800), true),
        ("Any0800-1700", at(MONDAY, 1659), true),
        ("Any0800-1700", at(MONDAY, 1700), false),
        ("Any800-1700", at(MONDAY, 800), true),
        ("Any0000-2400", at(MONDAY, 2359), true),
        ("Any1000-1000", at(MONDAY, 1), true),
        // Crossing midnight stays on the named day: Monday's small hours, not Tuesday's.
        ("Mo2300-0700", at(MONDAY, 630), true),
        ("Mo2300-0700", at(MONDAY, 2330), true),
        ("Mo2300-0700", at(MONDAY, 700), false),
        ("Mo2300-0700", at(2, 630), false),
        ("MoTu|We1000-1200", at(2, 0), true),
        ("MoTu|We1000-1200", at(3, 900), false),
        ("WkSa0900-1000", at(SATURDAY, 930), true),
        ("Wk2305-0855,Sa,Su2305-1655", at(SUNDAY, 1700), false),
        ("Wk2305-0855,Sa,Su2305-1655", at(SUNDAY, 1600), true),
        ("NeverMo", at(MONDAY, 0), true),
        ("Any,", at(MONDAY, 0), true),
        ("Mo1000-1200;5,Tu", at(2, 1000), false),
        ("Evening", at(MONDAY, 1704), false),
        ("evening", at(MONDAY, 1705), true),
        ("Night", at(MONDAY, 2304), false),
        ("NonPeak", at(MONDAY, 654), true),
        ("NonPeak", at(MONDAY, 655), false),
    ] {
        assert_eq!(times(text).contains(moment), wanted, "{text} at {moment:?}");
    }
}

#[test]
fn wrong_time_strings_say_what_is_wrong() {
    let tables = Timetables::default();
    for (text, wanted) in [
        ("Foo", "'Foo' is neither a day nor a timetable"),
        ("", "an empty time string"),
        ("1000-1200", "names no day; write for example Any1000-1200"),
        ("Any0800", "'0800' in 'Any0800' is not HHMM-HHMM"),
        ("Any0800-2500", "between 0000 and 2400"),
        ("Any0860-0900", "is not HHMM-HHMM"),
        ("Any-1-2", "'-1-2' is neither"),
        ("Mo1000-1200,1300-1400", "'1300-1400' names no day"),
        ("Evening,Su", "'Evening' is neither"),
    ] {
        let error = tables.parse(text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn own_timetables_have_names_without_case_and_the_last_holds() {
    let mut tables = Timetables::default();
    tables.define("Mine", times("Mo"));
    tables.define("mine", times("Tu"));
    assert_eq!(tables.parse("MINE").unwrap(), times("Tu"));
}

#[test]
fn the_next_window_is_the_next_in_a_week_without_an_end() {
    let rules = |text| {
        [TimeRule {
            grade: Grade::LAST,
            times: times(text),
            retry: None,
        }]
    };
    let next = |text, now| next_window(&rules(text), now).map(|next| next.to_string());
    let (sunday, monday) = (at(SUNDAY, 30), at(MONDAY, 9 * 60));
    assert_eq!(next("Any0800-1200", sunday).unwrap(), "Sun 08:00");
    assert_eq!(next("Mo0800-0900", monday).unwrap(), "Mon 08:00");
    assert_eq!(next("Su", monday).unwrap(), "Sun 00:00");
    assert_eq!(next("Never", monday), None);
    assert_eq!(at(MONDAY, 30).minutes_after(sunday), 24 * 60);
    assert_eq!(sunday.minutes_after(at(MONDAY, 30)), 6 * 24 * 60);
}

#[test]
fn the_most_urgent_grade_holds_where_rules_overlap() {
    let rule = |grade, text, retry| TimeRule {
        grade: Grade::parse(grade).unwrap(),
        times: times(text),
        retry,
    };
    let minutes = Some(Duration::from_mins(5));
    let rules = [rule(b'z', "Any", minutes), rule(b'C', "Mo", None)];
    let window = call_window(&rules, at(MONDAY, 100)).unwrap();
    assert_eq!((window.grade.byte(), window.retry), (b'C', None));
    let window = call_window(&rules, at(SUNDAY, 100)).unwrap();
    assert_eq!((window.grade, window.retry), (Grade::LAST, minutes));
    assert_eq!(call_window(&rules[1..], at(SUNDAY, 100)), None);
}

#[test]
fn the_smallest_size_holds_where_rules_overlap() {
    let rule = |bytes, text| SizeRule {
        bytes,
        times: times(text),
    };
    let rules = [rule(5000, "Any"), rule(1000, "Any0100-0200")];
    assert_eq!(size_limit(&rules, at(MONDAY, 130)), Some(1000));
    assert_eq!(size_limit(&rules, at(MONDAY, 200)), Some(5000));
    assert_eq!(size_limit(&rules[1..], at(MONDAY, 200)), None);
}

#[test]
fn the_largest_file_ever_is_that_of_the_most_generous_minute() {
    let rule = |bytes, text| SizeRule {
        bytes,
        times: times(text),
    };
    assert_eq!(largest_ever(&[]), None);
    assert_eq!(largest_ever(&[rule(5, "Any")]), Some(5));
    assert_eq!(largest_ever(&[rule(5, "Any"), rule(9, "Any")]), Some(5));
    assert_eq!(largest_ever(&[rule(5, "Wk"), rule(9, "Sa,Su")]), Some(9));
    // One minute is left.
    let all_but_one = "Mo,Tu,We,Th,Fr,Sa,Su0000-2359";
    assert_eq!(largest_ever(&[rule(5, all_but_one)]), None);
    assert_eq!(largest_ever(&[rule(5, "Never")]), None);
}

#[test]
fn no_rule_is_no_limit_of_grades() {
    let rules = [GradeRule {
        grade: Grade::DEFAULT,
        times: times("Wk"),
    }];
    assert_eq!(grade_limit(&rules, at(MONDAY, 0)), Some(Grade::DEFAULT));
    assert_eq!(grade_limit(&rules, at(SUNDAY, 0)), None);
}

proptest! {
    #[test]
    fn any_text_is_a_time_string_or_an_error(text in "\\PC*") {
        let _ = Timetables::default().parse(&text);
    }

    #[test]
    fn a_span_and_its_complement_share_no_moment(
        from in 0_u16..1440, to in 0_u16..1440, day in 0_u8..7, minute in 0_u16..1440,
    ) {
        prop_assume!(from != to);
        let clock = |m: u16| format!("{:02}{:02}", m / 60, m % 60);
        let inside = times(&format!("Any{}-{}", clock(from), clock(to)));
        let outside = times(&format!("Any{}-{}", clock(to), clock(from)));
        let now = LocalTime { weekday: day, minute };
        prop_assert!(inside.contains(now) != outside.contains(now));
    }
}
