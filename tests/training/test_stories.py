"""Examples drawn from a shelf: their answers, and that contents turn as the pixels do."""

from dataclasses import replace

import numpy as np
import pytest

from tempo_cli.plan.segments import plan_segment
from tempo_cli.types import FramePlan
from training import answers, asking, stories, words
from training.corpus import Segments
from training.foreign import FOREIGN
from training.phrasings import ALL, BEYOND, FAMILIES, OF_SCENES
from training.scene import COLOURS, KINDS, MOTIONS, Scene, plan_group
from training.shape import WINDOW
from training.stages import Compressing
from training.stories import Example, Shelf, ask_more, draw_filmed, draw_story, look, story_times
from training.words import Content, Question, Seen

from .conftest import GREY, LANDSCAPE, filmed


@pytest.fixture
def plainly(monkeypatch):
    """No conversations, and nothing that comes twice."""
    monkeypatch.setattr(stories, "_TALK", 0.0)
    monkeypatch.setattr(stories, "_TWICE", 0.0)


@pytest.fixture(scope="module")
def mixed(segments) -> Shelf:
    """The shelf with six segments of foreign footage behind it."""
    foreign = Segments(
        np.full((6, *segments.frames.shape[1:]), 200, np.uint8),
        np.full((6, *segments.sights.shape[1:]), -1, np.float32),
        np.array([(FOREIGN, index, 0.5) for index in range(6)], np.float32),
    )
    return Shelf(segments, (0, 20), foreign, ("marmalade", "sextant"))


@pytest.fixture(scope="module")
def examples(shelf) -> list[Example]:
    random = np.random.default_rng(7)
    return [draw_story(random, shelf, count) for count in (1, 2, 5, 9) for _ in range(60)]


@pytest.fixture(scope="module")
def movers() -> Shelf:
    """A video of three segments for each motion, in which one thing is seen from the beginning to the end."""
    random = np.random.default_rng(0)
    scenes = []
    for number in range(3 * len(MOTIONS)):
        motion = number % len(MOTIONS)
        while True:
            kind, colour = (number % len(KINDS),), (5,)
            (thing,) = plan_group(random, 0.0, 12.0, kinds=kind, colours=colour, motions=(motion,))
            if min(thing.here + thing.there) > 0 and max(thing.here + thing.there) < 1:  # none that comes in
                break
        scenes.append(Scene(12.0, ((thing,),), (0.0,), 0))
    return Shelf(filmed(scenes, LANDSCAPE), (0, len(scenes)))


def way(frames: np.ndarray) -> str:
    """Where the middle of what is not grey goes from the first to the last frame."""
    y, x = (
        np.subtract(*(np.nonzero((frames[at] != GREY).any(-1))[axis].mean() for at in (-1, 0)))
        for axis in (0, 1)
    )
    if max(abs(x), abs(y)) < 2:
        return "still"
    if abs(x) > abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"


def test_answers_are_those_of_the_story(examples):
    for example in examples:
        assert example.answer == answers.answer(example.question, example.contents, example.times)
        sizes = {len(part) for part in (example.places, example.mirrored, example.reversed, example.contents,
                                        example.times, example.patches)}  # fmt: skip
        assert sizes == {len(example.places)}


def test_all_families_are_asked_and_some_for_what_is_not_there(examples):
    assert {*ALL, BEYOND} - {"hues", "ways", "moved"} <= {example.question.family for example in examples}
    about_things = [one for one in examples if one.question.family in FAMILIES]
    states = [[words.relevance(one.question, content) for content in one.contents] for one in about_things]
    absent = np.mean([not any(own) for own in states])
    assert 0.12 < absent < 0.38  # one in four is drawn, directions are always of what is there
    assert all(None not in own for own in states if not any(own))


@pytest.mark.usefixtures("plainly")
def test_contents_turn_as_the_pixels_do(movers):
    random = np.random.default_rng(2)
    turned = set()
    for _ in range(60):
        example = draw_story(random, movers, 4, ("direction", "colour"))
        for frames, content, mirrored, backwards in zip(
            look(movers, example, random), example.contents, example.mirrored, example.reversed, strict=True
        ):
            (thing,) = content.clear
            assert MOTIONS[thing.motion] == way(frames)
            turned.add((MOTIONS[thing.motion], bool(mirrored), bool(backwards)))
    assert turned == {(motion, m, b) for motion in MOTIONS for m in (False, True) for b in (False, True)}


@pytest.mark.usefixtures("plainly")
def test_looking_changes_nothing_on_the_shelf(movers):
    before = movers.frames.copy()
    random = np.random.default_rng(2)
    for _ in range(10):
        look(movers, draw_story(random, movers, 4, ("direction",)), random)
    assert np.array_equal(before, movers.frames)


def test_only_a_varied_shelf_shows_its_frames_otherwise(segments):
    plain, other = Shelf(segments, (0, 20)), Shelf(segments, (0, 20), varied=True)
    example = draw_story(np.random.default_rng(4), plain, 6)
    first, again = (look(plain, example, np.random.default_rng(seed)) for seed in (1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(look(other, example, np.random.default_rng(1)), first)


def test_the_pixels_are_the_shelf_s_own_turned(examples, shelf):
    random = np.random.default_rng(2)
    for example in examples[::12]:
        for frames, place, mirrored, backwards in zip(
            look(shelf, example, random), example.places, example.mirrored, example.reversed, strict=True
        ):
            own = shelf.frames[place]
            own = own[:, :, ::-1] if mirrored else own
            assert np.array_equal(frames, own[::-1] if backwards else own)


def test_contents_stand_in_the_order_of_the_pixels(examples, shelf):
    def named(content: Content) -> list[tuple[int, int]]:
        return [(thing.kind, thing.colour) for thing in content.everything]

    for example in examples:
        own = [named(shelf.contents[int(place)]) for place in example.places]
        assert [named(content) for content in example.contents] == own


def test_a_part_of_a_video_reaches_back_where_too_little_follows(shelf):
    ends = [row for row in shelf.rows if not shelf.followed[row] and shelf.followed[row - 1]]
    last = int(ends[0])
    assert shelf.row(last, 3).tolist() == [last]
    back = shelf.around(last, 3).tolist()
    assert back[-1] == last
    assert len(back) in (2, 3)
    assert all(shelf.followed[row] for row in back[:-1])
    assert shelf.around(back[0], 2).tolist() == back[:2]


def test_crowded_segments_show_several_groups(shelf):
    groups = {int(row): {one.group for one in shelf.contents[int(row)].named} for row in shelf.rows}
    assert shelf.crowded.tolist() == [row for row, own in groups.items() if len(own) > 1]


def test_questions_about_everything_often_meet_several_groups(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_TALK", 0.0)
    monkeypatch.setattr(stories, "_FOREIGN", 0.0)

    def crowded(often: float) -> float:
        monkeypatch.setattr(stories, "_CROWDED", often)
        random = np.random.default_rng(4)
        found = [draw_story(random, shelf, 1, ("first",)).contents[0] for _ in range(80)]
        return float(np.mean([len({one.group for one in own.named}) > 1 for own in found]))

    assert crowded(1.0) > 0.5 > crowded(0.0)


def test_lists_are_asked_of_long_parts_of_videos(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_TALK", 0.0)
    monkeypatch.setattr(stories, "_AGAIN", 0.0)
    asked: dict[str, list[int]] = {"list": [], "object": []}
    monkeypatch.setattr(
        Shelf, "around", lambda self, row, most: asked[family].append(most) or self.row(row, most)
    )
    for family in asked:
        random = np.random.default_rng(5)
        for _ in range(30):
            draw_filmed(random, shelf, 12, (family,), 4)
    assert min(asked["object"]) == 1
    assert min(asked["list"]) == 4


def test_of_several_groups_the_first_comes_first_also_played_backwards(examples, shelf):
    seen_ways = set()
    for example in examples:
        for place, backwards, content in zip(example.places, example.reversed, example.contents, strict=True):
            if content.foreign:
                continue
            sights = shelf.sights[place][::-1] if backwards else shelf.sights[place]
            starts = {}
            for thing in content.clear:
                mine = (sights[..., :2] == (thing.kind, thing.colour)).all(-1) & (
                    sights[..., 3] == max(thing.group, -1 - thing.group) % 500
                )
                starts.setdefault(thing.group, int(np.flatnonzero((mine & (sights[..., 8] > 0)).any(1))[0]))
            if len(starts) > 1:
                assert sorted(starts) == sorted(starts, key=starts.get)
                told = words.memory_words(Question("first", "", None, None), content)
                if told is not None:
                    first = {f"{COLOURS[t.colour]} {KINDS[t.kind]}" for t in content.clear
                             if t.group == min(starts, key=starts.get)}  # fmt: skip
                    assert set(told) == first
                    seen_ways.add(bool(backwards))
    assert seen_ways == {True, False}


@pytest.mark.usefixtures("plainly")
def test_a_run_that_goes_on_over_segments_is_turned_as_one(movers):
    random = np.random.default_rng(3)
    runs = set()
    for _ in range(300):
        example = draw_story(random, movers, 3, ("colour",))
        groups = [content.clear[0].group for content in example.contents]
        asked = [example.question.means(content.clear[0]) for content in example.contents]
        mine = np.flatnonzero(asked)
        if len(mine) < 2:
            continue
        assert len({groups[at] for at in mine}) == 1
        assert len({(example.mirrored[at], example.reversed[at]) for at in mine}) == 1
        step = -1 if example.reversed[mine[0]] else 1
        assert np.diff(mine).tolist() == [1] * (len(mine) - 1)
        assert np.diff(example.places[mine]).tolist() == [step] * (len(mine) - 1)
        runs.add((len(mine), step))
    assert runs == {(2, 1), (2, -1), (3, 1), (3, -1)}


def test_filling_shows_nothing_of_what_is_asked_for(shelf):
    random = np.random.default_rng(4)
    for kind, colour in ((2, None), (None, 5), (2, 5)):
        question = Question("presence", "", kind, colour)
        rows = shelf.without(random, question, 40)
        assert rows is not None
        assert len(rows) == 40
        assert not any(question.means(one) for row in rows for one in shelf.contents[int(row)].everything)
    shown = [row for row in shelf.rows if any(one.kind == 2 for one in shelf.contents[int(row)].everything)]
    assert 0 < len(shown) < len(shelf.rows)


def test_what_every_segment_shows_leaves_nothing_to_fill_with(movers):
    assert movers.without(np.random.default_rng(4), Question("object", "", None, 5), 1) is None


@pytest.mark.usefixtures("plainly")
def test_a_corpus_that_shows_nothing_can_t_be_asked_for_directions():
    bare = Shelf(filmed([Scene(12.0, (), (0.0,), 0)], LANDSCAPE), (0, 1))
    with pytest.raises(ValueError, match="no videos of 3 segments"):
        draw_story(np.random.default_rng(4), bare, 3, ("direction",))
    assert draw_story(np.random.default_rng(4), bare, 3, ("when",)).answer.startswith("There was no ")


def test_more_is_asked_about_the_same_video(shelf):
    random = np.random.default_rng(8)
    families, absent, fewer = set(), [], 0
    for count in (1, 2, 6, 12) * 40:
        asked = ask_more(random, shelf, draw_story(random, shelf, count), 3)
        assert len(asked) == 3
        fewer += len({id(example) for example in asked}) < 3
        for example in asked:
            assert example.contents is asked[0].contents
            assert example.places is asked[0].places
            assert example.answer == answers.answer(example.question, example.contents, example.times)
        families |= {example.question.family for example in asked[1:]}
        absent += [
            not any(words.relevance(example.question, content) for content in example.contents)
            for example in asked[1:]
        ]
    assert {*ALL, BEYOND} - {"hues", "ways", "moved"} <= families  # these are rare
    assert 0.4 < np.mean(absent) < 0.7  # what is beyond is nowhere
    assert fewer < 5


def test_a_run_stays_in_its_video(shelf):
    random = np.random.default_rng(5)
    runs = [shelf.run(random, 3) for _ in range(200)]
    assert {len(run) for run in runs} == {1, 2, 3}
    assert all((np.diff(run) == 1).all() for run in runs)
    assert all(len(set(shelf.place[run, 0])) == 1 for run in runs)
    assert {len(shelf.run(random, 1)) for _ in range(50)} == {1}


def test_a_missing_segment_ends_a_run(segments):
    holed = Shelf(
        segments._replace(**{name: np.delete(getattr(segments, name), 2, 0) for name in segments._fields}),
        (0, 1),
    )
    assert holed.followed[:5].tolist() == [True, False, True, True, False]


def test_a_part_of_the_corpus_holds_whole_videos(segments):
    parts = [Shelf(segments, bounds) for bounds in ((0, 13), (13, 20))]
    assert [sorted(set(segments.place[part.rows, 0])) for part in parts] == [
        list(range(13)),
        list(range(13, 20)),
    ]
    assert [len(part) for part in parts] == [78, 42]


def test_the_same_randomness_draws_the_same_story(shelf):
    first, second = (draw_story(np.random.default_rng(9), shelf, 5) for _ in range(2))
    assert np.array_equal(first.places, second.places)
    plain = [replace(one, places=None, mirrored=None, reversed=None) for one in (first, second)]
    assert plain[0] == plain[1]


def test_times_are_those_that_the_tool_would_tell():
    random = np.random.default_rng(0)
    usual = 0
    for _ in range(60):
        times, patches, spans = story_times(random, 3)
        interval = (times[1] - times[0]) / WINDOW
        plan = FramePlan(np.arange(24), 1 / interval, 0.0)
        segments = [plan_segment(plan, range(at, at + WINDOW), WINDOW, 2) for at in (0, 8, 16)]
        assert times == pytest.approx([segment.time for segment in segments])
        for own, span, segment in zip(patches, spans, segments, strict=True):
            assert own == pytest.approx(segment.patch_times)
            assert span == pytest.approx((segment.time - 4 * interval, segment.time + 4 * interval))
        usual += answers.span_of(times, 1) == "between 4 and 8 seconds"
    assert 30 < usual < 55


@pytest.mark.usefixtures("plainly")
def test_a_question_about_a_thing_names_it(shelf, monkeypatch):
    monkeypatch.setattr(stories, "rough", lambda _, text: text)
    random = np.random.default_rng(7)
    for _ in range(200):
        example = draw_story(random, shelf, 4, FAMILIES)
        name = example.question.name.removesuffix(" thing")
        assert all(word in example.question.text.lower() for word in name.split())
        assert set(name.split()) <= {*KINDS, *COLOURS}


def test_questions_are_typed_roughly_at_times(shelf, monkeypatch):
    monkeypatch.setattr(stories, "rough", lambda _, text: f"<{text}>")
    for _ in range(20):
        assert draw_story(np.random.default_rng(7), shelf, 4).question.text.startswith("<")


def test_some_things_come_twice(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_TWICE", 1.0)
    monkeypatch.setattr(stories, "_TALK", 0.0)
    random = np.random.default_rng(3)
    told = [draw_story(random, shelf, 9, ("when", "times")).answer for _ in range(80)]
    assert sum("seconds and between" in one or "twice" in one for one in told) > 25


@pytest.mark.usefixtures("plainly")
def test_where_all_counts_few_segments_show_anything(shelf):
    random = np.random.default_rng(3)
    for family in OF_SCENES:
        asked = {draw_story(random, shelf, 12, (family,)).question.family for _ in range(10)}
        assert asked == {family}
    full = [sum(bool(c.clear) for c in draw_story(random, shelf, 40, ("list",)).contents) for _ in range(20)]
    assert max(full) <= 3 * stories._MOST_RUNS


def test_conversations_go_on(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_TALK", 1.0)
    random = np.random.default_rng(3)
    talks = [draw_story(random, shelf, 5) for _ in range(120)]
    later = [example for example in talks if example.question.earlier]
    assert len(later) > 60
    assert {example.question.family for example in later} > {BEYOND, "direction", "after"}
    for example in later:
        assert example.answer == answers.answer(example.question, example.contents, example.times)
        assert example.question.query.splitlines()[-2] == example.question.earlier[-1].question


def test_foreign_videos_are_foreign_throughout_and_declined(mixed, monkeypatch):
    monkeypatch.setattr(stories, "_FOREIGN", 1.0)
    random = np.random.default_rng(3)
    for _ in range(40):
        example = draw_story(random, mixed, 4)
        assert all(content.foreign for content in example.contents)
        assert example.answer == words.DECLINE
        assert (look(mixed, example, random) == 200).all()


def test_what_is_known_is_never_looked_for_in_foreign_footage(mixed, monkeypatch):
    monkeypatch.setattr(stories, "_FOREIGN", 0.0)
    random = np.random.default_rng(3)
    for _ in range(40):
        example = draw_story(random, mixed, 4)
        assert not any(content.foreign for content in example.contents)
        plain = replace(example, mirrored=[False] * 4, reversed=[False] * 4)
        assert np.array_equal(look(mixed, plain, random), mixed.frames.own[example.places])


def test_the_dictionary_gives_unknown_words(mixed):
    random = np.random.default_rng(3)
    told = [draw_story(random, mixed, 2, (BEYOND,)).question.text.lower() for _ in range(200)]
    assert sum("marmalade" in text or "sextant" in text for text in told) > 10


def test_moments_are_asked_about_at_the_usual_rate(shelf):
    random = np.random.default_rng(6)
    usual = 0
    for _ in range(30):
        example = draw_story(random, shelf, 6)
        moments = stories.ask_when(random, example, 2)
        assert len(moments) == 2
        if stories.at_usual_rate(example):
            usual += 1
            assert {one.question.family for one in moments} == {"at"}
            for one in moments:
                assert one.contents is example.contents
                assert one.answer == answers.answer(one.question, one.contents, one.times)
        else:
            assert moments == [example, example]
    assert 10 < usual < 29


def test_a_single_segment_may_come_from_anywhere(shelf):
    random = np.random.default_rng(6)
    starts = [draw_story(random, shelf, 1, most=128).contents[0].span[0] for _ in range(60)]
    assert min(starts) == 0
    assert max(starts) > 60
    assert all(draw_story(random, shelf, 2).contents[0].span[0] == 0 for _ in range(10))
    asked = [draw_story(random, shelf, 1, ("at",), most=128) for _ in range(80)]
    inside = [one for one in asked if words.relevance(one.question, one.contents[0])]
    assert 20 < len(inside) < 60


def test_times_of_other_segments_often_end_alike():
    """Six in ten of those that are far away; it would be one in ten if they were drawn evenly."""
    random, away = np.random.default_rng(7), []
    for _ in range(600):
        asked = asking.ask(random, [Content(span=(100.0, 101.0))], "at", True)
        away += [int(asked.second) - 100] if asked else []
    far = [seconds for seconds in away if abs(seconds) > 12]
    assert len(far) > 40
    assert 0.45 < sum(seconds % 10 == 0 for seconds in far) / len(far) < 0.7


def seen_as(shelf: Shelf, *visible: float) -> Shelf:
    """The same segments, where so much of everything is in the frame, frame by frame."""
    sights = shelf.sights.copy()
    sights[..., 8] = np.resize([*visible, *[0.0] * 8][:8], (8, 1))
    return Shelf(Segments(shelf.frames, sights, shelf.place), (0, 1000))


@pytest.mark.usefixtures("plainly")
@pytest.mark.parametrize(
    ("visible", "family", "held"),
    [
        ((1.0,), "direction", ["yes"]),  # a motion that one frame shows can't be told
        ((0.3, 0.3), "direction", ["nothing"]),
        ((0.3, 0.3), "presence", ["nothing"]),
        ((0.5, 0.5), "presence", ["yes"]),
    ],
)
def test_the_compressor_reads_segments_that_settle_no_answer(movers, visible, family, held):
    random, once = np.random.default_rng(8), seen_as(movers, *visible)
    stage = Compressing(1, questions=3, families=(family,))
    examples = [example for _ in range(30) for example in stage._asked(random, once)]
    open_ = [example for example in examples if example.answer == ""]
    assert len(open_) > 20
    for example in open_:
        assert words.memory_words(example.question, example.contents[0]) == held
    with pytest.raises(ValueError, match="the corpus has no videos"):  # several segments have to settle it
        draw_story(random, seen_as(movers, 1.0), 2, ("direction",), settled=False)


def test_questions_about_motion_are_often_about_what_stays_still(monkeypatch, shelf):
    still, moving = (Seen(kind, 5, MOTIONS.index(way), 1) for kind, way in ((0, "still"), (2, "left")))
    story, random = [Content((still, moving))], np.random.default_rng(3)
    shares = []
    for chance in (0.0, 1.0):
        monkeypatch.setattr(stories, "_STILL", chance)
        asked = [stories.asked(random, shelf, story, "direction", True).kind for _ in range(100)]
        shares.append(asked.count(0))
    assert 30 < shares[0] < 70
    assert shares[1] == 100
    asked = [stories.asked(random, shelf, story, "colour", True).kind for _ in range(100)]
    assert 30 < asked.count(0) < 70
    assert stories.asked(random, shelf, [Content((moving,))], "direction", True).kind == 2


def test_filmed_videos_are_segments_in_a_row_turned_alike(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_AGAIN", 0.0)
    random, lengths, ways = np.random.default_rng(5), set(), set()
    for _ in range(400):
        example = draw_filmed(random, shelf, 6)
        (mirrored,), (backwards,) = set(example.mirrored.tolist()), set(example.reversed.tolist())
        assert set(np.diff(example.places).tolist()) <= {-1 if backwards else 1}
        assert len(set(shelf.place[example.places, 0].tolist())) == 1
        assert example.contents[0].span[0] == 0
        assert answers.answer(example.question, example.contents, example.times) == example.answer
        lengths.add(len(example.places))
        ways.add((mirrored, backwards))
    assert (lengths, len(ways)) == ({1, 2, 3, 4, 5, 6}, 4)


def test_in_some_filmed_videos_things_come_back(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_AGAIN", 1.0)
    random = np.random.default_rng(5)
    drawn = [draw_filmed(random, shelf, 6) for _ in range(100)]
    ways = [set(zip(example.mirrored.tolist(), example.reversed.tolist(), strict=True)) for example in drawn]
    assert sum(len(own) == 2 for own in ways) > 40


def test_things_come_back_later_mirrored_or_the_other_way():
    random, places = np.random.default_rng(5), [(row, True, False) for row in range(10, 16)]
    seen = set()
    for _ in range(300):
        told = stories._come_again(random, places)
        again = [place for place in told if place not in places]
        assert [place for place in told if place in places] == places
        rows = [row for row, _, _ in again]
        (way,) = {place[1:] for place in again}
        step = -1 if way[1] else 1
        assert rows == list(range(rows[0], rows[0] + step * len(rows), step))
        assert told.index(again[0]) > max(rows) - 10 + 1  # after what comes back, and after something else
        seen.add((min(rows), len(rows), way))
    assert {length for _, length, _ in seen} == {1, 2, 3}
    assert {first for first, _, _ in seen} == set(range(10, 15))
    assert {way for _, _, way in seen} == {(False, False), (True, True), (False, True)}
    assert stories._come_again(random, places[:1]) == places[:1]


@pytest.mark.parametrize(
    ("mirrored", "backwards", "motions"),
    [
        (False, False, ("left", "up")),
        (True, False, ("right", "up")),
        (False, True, ("right", "down")),
        (True, True, ("left", "down")),
    ],
)
def test_what_comes_back_may_move_in_the_same_direction_and_is_another_group(mirrored, backwards, motions):
    things = tuple(Seen(2, 5, MOTIONS.index(way), 3_000 + group) for group, way in enumerate(("left", "up")))
    told = stories._turned(Content(things), mirrored, backwards).clear
    assert tuple(MOTIONS[thing.motion] for thing in told) == motions
    (first, second), sign = (thing.group for thing in told), -1 if backwards else 1
    assert second - first == sign  # of two groups the later one comes first where time runs backwards
    assert (first == 3_000) is not (mirrored or backwards)


def test_a_thing_that_comes_again_in_its_color_is_no_second_answer(shelf, monkeypatch):
    monkeypatch.setattr(stories, "_TWICE", 1.0)
    monkeypatch.setattr(stories, "_TALK", 0.0)
    random = np.random.default_rng(3)
    one, two = 0, 0
    for _ in range(150):
        example = draw_story(random, shelf, 9, ("colour",))
        groups = {t.group for c in example.contents for t in c.clear if example.question.means(t)}
        if len(groups) > 1:
            one, two = one + ("then" not in example.answer), two + ("then" in example.answer)
    assert min(one, two) > 35
