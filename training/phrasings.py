"""How people ask: phrasings of every family of questions.

Each family has many, whose last six are never trained on. Openers and clauses make more (`COMBINED`), so that
words are learned in many surroundings.

| placeholder | stands for |
|---|---|
| `{it}`, `{a}`, `{these}` | "red car", "a red car", "red cars" |
| `{tint}` | the color that is asked about |
| `{hue}`, `{other}` | a color, or a direction, that the question offers, and another one |
| `{at}` | a time, as in "at 0:12" or "12 seconds in" |
"""

HELD_OUT = 6  # phrasings of each family

PHRASINGS: dict[str, tuple[str, ...]] = {
    "colour": (
        "What color was the {it}?", "What color is the {it}?", "Which color does the {it} have?",
        "Tell me the color of the {it}.", "What is the color of the {it}?", "The {it}: what color is it?",
        "Which color was the {it}?", "Do you know the color of the {it}?", "Name the color of the {it}.",
        "The {it} is of what color?", "Say which color the {it} has.",
        "I want to know the color of the {it}.", "{it} color?", "What color {it} was it?",
        "Of what color is the {it}?", "What color did the {it} have?", "The color of the {it}?",
        "In what color do we see the {it}?", "Is the {it} red, blue or which color?",
        "Which color has the {it} that is seen here?", "color of the {it}", "what was the {it}'s color",
        "There is {a}. What color is it?", "When the {it} is there, what color does it have?",
        # never trained on
        "What's the {it}'s color?", "Give the color of the {it}.",
        "Can you name the color that the {it} has?", "Which color is the {it} in this video?",
        "The {it} was what color?", "I see {a}; which color is it?",
    ),
    "object": (
        "What was {tint}?", "Which thing is {tint}?", "What is {tint} here?", "Which object is {tint}?",
        "Name the {tint} thing.", "What is the {tint} object?", "Tell me what is {tint}.",
        "Something is {tint}: what?", "The {tint} thing is what?", "What {tint} thing can be seen?",
        "Which object has the color {tint}?", "What has the color {tint}?", "What kind of thing is {tint}?",
        "Say what the {tint} object is.", "What was the {tint} thing?", "What do we see in {tint}?",
        "Which {tint} thing is it?", "{tint} object?", "what is the {tint} one",
        "Do you know which thing is {tint}?", "Which thing was seen in {tint}?",
        "There is a {tint} thing. What is it?", "I want to know what the {tint} thing is.",
        "the {tint} thing",
        # never trained on
        "Which object was {tint}?", "What object has {tint} color?", "Can you name the {tint} object?",
        "What is that {tint} thing?", "What thing is {tint} in this video?", "Say which thing was {tint}.",
    ),
    "presence": (
        "Is there {a}?", "Is there {a} in the video?", "Can you see {a}?", "Does {a} appear?",
        "Was there {a}?", "Do we see {a}?", "Did {a} appear in the video?", "Is {a} seen?", "Was {a} seen?",
        "Is {a} visible?", "Does the video show {a}?", "Is {a} in it?", "Tell me whether there is {a}.",
        "Was {a} there?", "Do you see {a} here?", "Say whether {a} is seen.", "Is {a} there at some time?",
        "any {it}?", "Is there any {it}?", "Did you see any {it}?", "is {a} to be seen",
        "Have you seen {a}?", "Does {a} show up?", "Was there any {it} in the video?",
        "Are there {these}?", "Are there any {these} in the video?", "Do you see {these}?", "any {these}?",
        "Were there {these}?", "Are {these} seen?", "Is {a} in there?", "there is {a}, right?",
        "Has there been {a}?", "Has {a} appeared?", "Have there been any {these}?",
        "Is {a} shown?", "Were any {these} shown?", "Is {a} shown in this one?",
        # never trained on
        "Can {a} be seen?", "Is {a} there?", "Does it show {a}?", "Did {a} show up in the video?",
        "Do you see any {it}?", "Is there {a} to be seen here?",
    ),
    "when": (
        "When does the {it} appear?", "When is the {it} seen?", "At what time does the {it} appear?",
        "When was the {it} there?", "When do we see the {it}?", "When can the {it} be seen?",
        "At which time is the {it} seen?", "Tell me when the {it} appears.", "When did the {it} appear?",
        "Say at what time the {it} is seen.", "What time does the {it} show up?",
        "When does the {it} show up?", "The {it} appears at what time?",
        "At what second does the {it} appear?", "When {it}?", "Do you know when the {it} appears?",
        "When is there {a}?", "When was the {it} first seen?", "I want to know when the {it} appears.",
        "when is the {it} there", "time of the {it}", "At which second do we see the {it}?",
        "When does {a} appear?", "When was {a} seen?",
        "When has the {it} been seen?", "When has the {it} appeared?",
        "When is the {it} shown?", "When was the {it} on screen?",
        "At what second is the {it} visible?",
        # never trained on
        "At what time is the {it} seen?", "When did we see the {it}?", "When is the {it} visible?",
        "At which time does {a} appear?", "Tell me at what time the {it} shows up.",
        "The {it} is seen when?",
    ),
    "direction": (
        "Which way does the {it} move?", "Which way did the {it} go?",
        "In which direction does the {it} move?", "Where does the {it} move?",
        "What direction does the {it} move in?", "How does the {it} move?",
        "Tell me the direction of the {it}.", "Which direction does the {it} go?", "Where did the {it} go?",
        "Does the {it} move left, right, up or down?", "Say which way the {it} moves.",
        "In what direction did the {it} move?", "What is the direction of the {it}?",
        "Which way is the {it} going?", "Where is the {it} going?", "The {it} moves in which direction?",
        "direction of the {it}?", "Is the {it} going left or right, up or down?",
        "Do you know where the {it} goes?", "which way {it} moves", "To which side does the {it} move?",
        "Where does the {it} go?", "How did the {it} move?",
        "The movement of the {it} is in which direction?",
        "Which way has the {it} moved?", "In which direction has the {it} turned?",
        "The {it}: which way does it move?", "The {it}, where does it go?",
        "Which way is the {it} turning?",
        # never trained on
        "Which direction did the {it} move in?", "Tell me which way the {it} goes.",
        "In which direction is the {it} going?", "What way does the {it} go?", "Say where the {it} moves.",
        "The {it} goes which way?",
    ),
    "together": (
        "What was seen together with the {it}?", "What is seen with the {it}?",
        "What is together with the {it}?", "What else is there with the {it}?",
        "Which things are seen with the {it}?", "What was there with the {it}?",
        "Tell me what was seen together with the {it}.", "What appears together with the {it}?",
        "Beside the {it}, what else is seen?", "What else do we see together with the {it}?",
        "Name what is seen together with the {it}.", "What is beside the {it}?",
        "What was beside the {it}?", "Which other things appear with the {it}?",
        "Say what else was seen with the {it}.", "The {it} was seen together with what?",
        "What other things are there beside the {it}?", "With what was the {it} seen?",
        "together with the {it}?", "What can be seen beside the {it}?",
        "I want to know what else is seen with the {it}.", "what was with the {it}",
        "What else appears when the {it} is there?", "Other than the {it}, what is seen with it?",
        "What is shown together with the {it}?",
        "What is visible beside the {it}?",
        # never trained on
        "What else was seen together with the {it}?", "Which things were together with the {it}?",
        "What appears beside the {it}?", "Name the things seen with the {it}.",
        "What else is beside the {it}?", "The {it} is together with which other things?",
    ),
    "describe": (
        "Describe the scene with the {it}.", "Describe the {it} and all that is with it.",
        "Describe what is seen when the {it} appears.", "Give a description of the scene with the {it}.",
        "Describe the moment when the {it} is seen.", "Describe all things in the scene of the {it}.",
        "Describe in full the scene with the {it}.", "Please describe the {it} and the things around it.",
        "A description of the {it} and what is around it.", "Describe the {it} and everything around it.",
        "describe the {it} scene", "Describe the picture with the {it}.",
        "Describe the {it} and its surroundings.",
        "Give a full description of the scene where the {it} appears.",
        "Describe everything seen with the {it}.",
        "What does the scene with the {it} look like? Describe it.", "Describe the part with the {it}.",
        "Describe the part of the video where the {it} is seen.",
        "I want a description of the scene with the {it}.", "Describe the {it} and the other things.",
        "Can you describe the scene with the {it}?", "Describe the whole scene around the {it}.",
        "description of the {it} and the rest", "Describe how the scene with the {it} looks.",
        # never trained on
        "Describe the scene where the {it} appears.",
        "Give a description of the {it} and everything with it.", "Describe the moment with the {it}.",
        "Can you describe the {it} and what is around it?", "Describe all that is seen with the {it}.",
        "Describe the picture where the {it} is seen.",
    ),
}  # fmt: skip
FAMILIES = tuple(PHRASINGS)  # those of the first release: one thing, in one stretch
_OPENERS = (
    "Tell me {}.", "Say {}.", "Can you say {}?", "Can you tell me {}?", "Do you know {}?",
    "I want to know {}.", "I would like to know {}.", "Could you tell me {}?", "I wonder {}.",
    "Do you remember {}?", "Find out {}.", "Tell us {}.",
)  # fmt: skip
_DESCRIBING = (
    "Describe {}.", "Please describe {}.", "Could you describe {}?", "Can you describe {}?",
    "Give a description of {}.", "Give me a full description of {}.", "I want a description of {}.",
    "Describe in words {}.", "A description of {}.", "How would you describe {}?", "Describe to me {}.",
    "I would like a description of {}.",
)  # fmt: skip
_CLAUSES: dict[str, tuple[str, ...]] = {
    "colour": (
        "what color the {it} has", "what color the {it} is", "what color the {it} was",
        "which color the {it} had", "of which color the {it} is", "the color of the {it}",
        "which color was seen on the {it}", "in which color {a} is seen", "what the color of the {it} is",
    ),
    "object": (
        "what is {tint}", "what was {tint}", "which thing is {tint}", "what the {tint} thing is",
        "which object has the color {tint}", "what {tint} thing is seen", "what we see in {tint}",
        "which object the {tint} one is", "what kind of object is {tint}",
    ),
    "presence": (
        "whether there is {a}", "whether there was {a}", "whether {a} is seen", "if there is {a}",
        "if you see {a}", "whether {a} appears", "if {a} can be seen", "whether the video shows {a}",
        "if there is any {it}",
    ),
    "when": (
        "when the {it} appears", "when the {it} is seen", "when the {it} was there", "when we see {a}",
        "at what time the {it} is seen", "at which time the {it} appeared", "when {a} appears",
        "at which second the {it} shows up", "the time at which the {it} appears",
    ),
    "direction": (
        "which way the {it} moves", "where the {it} goes", "in which direction the {it} goes",
        "in what direction the {it} moves", "to which side the {it} goes", "how the {it} moves",
        "where the {it} went", "which direction the {it} moved in", "the direction of the {it}",
    ),
    "together": (
        "what is seen with the {it}", "what was together with the {it}", "what else is with the {it}",
        "which other things are with the {it}", "which things are seen beside the {it}",
        "what appears together with the {it}", "what else was there beside the {it}",
        "the things that are together with the {it}", "what we see together with the {it}",
    ),
    "describe": (
        "the scene with the {it}", "the scene in which the {it} appears", "the moment when the {it} appears",
        "the {it} and all that is with it", "the {it} and what is seen with it",
        "everything that is there with the {it}", "the part where the {it} is seen",
        "the picture with the {it}", "the picture in which the {it} appears",
        "the {it} and all things around it", "the time when the {it} is there", "what is seen with the {it}",
        "the scene around the {it}",
    ),
    "count": (
        "how many {these} you see", "the number of {these}", "how many {these} appear",
        "how many {these} can be seen",
    ),
    "times": (
        "how often the {it} appears", "how many times the {it} is seen", "how often {a} is seen",
        "how many times {a} appears",
    ),
    "hue": (
        "whether the {it} is {hue}", "if the {it} is {hue}", "whether the {it} was {hue} or not",
        "if the color of the {it} is {hue}", "whether the {it} looks {hue}",
    ),
    "hues": (
        "whether the {it} is {hue} or {other}", "if the {it} was {hue} or {other}",
        "whether the color of the {it} is {hue} or {other}",
    ),
    "turn": (
        "whether the {it} goes {hue}", "if the {it} goes {hue}", "whether the {it} moved {hue}",
        "if the {it} went {hue}",
    ),
    "ways": (
        "whether the {it} goes {hue} or {other}", "if the {it} went {hue} or {other}",
        "whether the {it} moved {hue} or {other}",
    ),
    "moved": ("whether the {it} moves", "whether the {it} moved", "if there is any movement of the {it}"),
    "list": (
        "what is seen", "everything that is there", "all the things that appear", "what the video shows",
        "what happens in the video", "which things appear, in order", "what is going on", "what you see",
        "every object that is seen", "what is shown",
    ),
    "first": (
        "what comes first", "which thing comes first", "what is seen at the beginning",
        "what there is at the start", "what the first thing is", "which object appears first",
    ),
    "last": (
        "what comes last", "which thing comes last", "what is seen at the very end",
        "what there is at the end", "what the last thing is", "which object appears last",
    ),
    "at": ("what is seen {at}", "what there is {at}", "which things are there {at}"),
    "after": (
        "what comes after the {it}", "what is seen after the {it}", "which things come after the {it}",
        "what follows the {it}", "what there is once the {it} is gone",
    ),
}  # fmt: skip
COMBINED = {
    family: tuple(
        opener.format(clause)
        for opener in (_DESCRIBING if family == "describe" else _OPENERS)
        for clause in clauses
    )
    for family, clauses in _CLAUSES.items()
}
BEFORE = (
    "In this video: ", "Please tell me: ", "Look at the video. ", "A question: ", "Tell me, ", "Hello! ",
)  # fmt: skip
AFTER = (" Please.", " Thank you.", " Answer in one sentence.")
WHERE = (" in this video", " in the video", " here", " in the film", " in this clip")

MORE: dict[str, tuple[str, ...]] = {
    "count": (
        "How many {these} are there?", "How many {these} were there?", "How many {these} do you see?",
        "How many {these} are seen?", "How many {these} can be seen?", "Count the {these}.",
        "What is the number of {these}?", "How many {these} does the video show?", "Number of {these}?",
        "How many {these} appear?", "Tell me how many {these} there are.", "how many {these}",
        "How many {these} did you see?", "Can you count the {these}?", "Say how many {these} are seen.",
        "How many {these} show up?", "How many different {these} are there?", "The {these}: how many?",
        "How many {these} are shown?",
        # never trained on
        "How many {these} have you seen?", "How many {these} were seen?", "Please count the {these}.",
        "There are how many {these}?", "How many {these} appeared?",
        "Do you know how many {these} there are?",
    ),
    "hue": (
        "Is the {it} {hue}?", "Was the {it} {hue}?", "Is it {a} that is {hue}?", "Does the {it} look {hue}?",
        "Is the color of the {it} {hue}?", "Tell me whether the {it} is {hue}.", "The {it} is {hue}, right?",
        "Is the {it} {hue} or not?", "Do you think the {it} is {hue}?", "is that {it} {hue}",
        "Was the color of the {it} {hue}?", "Say whether the {it} was {hue}.", "Was that {it} {hue}?",
        "Does the {it} have the color {hue}?", "The {it}, was it {hue}?", "Is the {it} in {hue}?",
        "If I see the {it}, is it {hue}?", "Would you say the {it} is {hue}?",
        # never trained on
        "Is this {it} {hue}?", "The {it}: is it {hue}?", "Was the {it} {hue} in color?",
        "Did the {it} look {hue}?", "Tell me if the {it} was {hue}.", "Is the {it}'s color {hue}?",
    ),
    "hues": (
        "Is the {it} {hue} or {other}?", "Was the {it} {hue} or {other}?",
        "{hue} or {other}: what is the {it}?",
        "Is the color of the {it} {hue} or {other}?", "Is it {a} in {hue} or in {other}?",
        "Does the {it} look {hue} or {other}?", "The {it}: {hue} or {other}?",
        "is that {it} {hue} or {other}",
        "Tell me whether the {it} is {hue} or {other}.", "Say if the {it} is {hue} or {other}.",
        "Was that {it} {hue} or was it {other}?", "Is the {it} {hue}, or is it {other}?",
        "Is the {it} {hue} or else {other}?", "Has the {it} been {hue} or {other}?",
        "Is the {it} rather {hue} or {other}?", "Was the {it} {hue}, or perhaps {other}?",
        "Is the {it} more {hue} or more {other}?", "Is the {it} {hue}, or is it rather {other}?",
        # never trained on
        "Was the {it} {hue} or rather {other}?", "Is this {it} {hue} or {other}?",
        "Would you say the {it} is {hue} or {other}?", "The {it}, is it {hue} or {other}?",
        "Which one is it, is the {it} {hue} or {other}?", "Did the {it} look {hue} or {other}?",
    ),
    "turn": (
        "Did the {it} go {hue}?", "Does the {it} move {hue}?", "Did the {it} turn {hue}?",
        "Is the {it} going {hue}?", "Did the {it} move {hue}?", "Does the {it} go {hue}?",
        "Was the {it} going {hue}?", "Is the {it} moving {hue}?", "Was the {it} moving {hue}?",
        "Tell me whether the {it} goes {hue}.", "Does the {it} turn {hue}?", "The {it} went {hue}, right?",
        "Say whether the {it} moved {hue}.", "Is the direction of the {it} {hue}?", "does that {it} go {hue}",
        "Has the {it} moved {hue}?", "Has the {it} turned {hue}?", "Has that {it} been going {hue}?",
        "Do you see the {it} go {hue}?", "Is {hue} the way the {it} goes?", "Did that {it} move {hue}?",
        "The {it}, does it go {hue}?", "The {it}: is it moving {hue}?",
        # never trained on
        "Did you see the {it} move {hue}?", "Is the {it} turning {hue}?", "Has the {it} gone {hue}?",
        "The {it}: did it go {hue}?", "Tell me if the {it} moved {hue}.", "Was the {it} on its way {hue}?",
    ),
    "ways": (
        "Did the {it} go {hue} or {other}?", "Does the {it} move {hue} or {other}?",
        "Did the {it} turn {hue} or {other}?", "Is the {it} going {hue} or {other}?",
        "Does the {it} go {hue} or {other}?", "Tell me whether the {it} goes {hue} or {other}.",
        "{hue} or {other}: which way did the {it} go?", "The {it} went {hue} or {other}?",
        "Is the {it} moving {hue} or {other}?", "Did the {it} move {hue}, or did it move {other}?",
        "Say if the {it} moved {hue} or {other}.", "Was the {it} going {hue} or {other}?",
        "Has the {it} moved {hue} or {other}?", "Has the {it} turned {hue}, or has it turned {other}?",
        "Did the {it} go {hue}, or rather {other}?", "Does the {it} go {hue}, or perhaps {other}?",
        "Is the {it} turning {hue} or {other}?",
        "The {it}: is it going {hue} or {other}?",
        # never trained on
        "Did that {it} go {hue} or {other}?", "Was the {it} moving {hue} or {other}?",
        "Which is it, did the {it} go {hue} or {other}?", "Has the {it} gone {hue} or {other}?",
        "Did you see the {it} go {hue} or {other}?", "The {it}: did it move {hue} or {other}?",
    ),
    "moved": (
        "Did the {it} move?", "Does the {it} move?", "Is the {it} moving?", "Was the {it} moving?",
        "Does the {it} move at all?", "Tell me whether the {it} moves.", "Is there any movement of the {it}?",
        "Say whether the {it} moved.", "Did that {it} move?", "Was there any movement of the {it}?",
        "Does the {it} go anywhere?", "The {it} moves, right?",
        "Has the {it} moved?", "Has the {it} been moving?", "The {it}, was it moving?",
        "The {it}: has it moved?", "The {it}: is it moving or not?", "The {it}, does it go anywhere?",
        "The {it}, does it move at all?", "The {it}: did it move or not?", "Does the {it} really move?",
        # never trained on
        "Did the {it} go anywhere?", "Is that {it} moving?", "Did you see the {it} move?",
        "Tell me if the {it} moved.", "Did the {it} move at all?", "The {it}: does it move?",
    ),
    "times": (
        "How often does the {it} appear?", "How many times does the {it} appear?",
        "How often is the {it} seen?",
        "How many times is the {it} seen?", "How often did we see the {it}?",
        "How often do you see the {it}?",
        "How many times do we see the {it}?", "Tell me how often the {it} appears.", "how often {it}",
        "How often was the {it} there?", "How many times did the {it} appear?", "How often does {a} show up?",
        "How many times was {a} seen?", "Does the {it} appear once or twice?",
        "Count how often the {it} is seen.",
        "How often can the {it} be seen?", "Say how many times the {it} is seen.",
        "Is the {it} seen once or twice?",
        "How often is the {it} shown?", "How many times was {a} shown?",
        # never trained on
        "How often did the {it} appear?", "How many times does the {it} show up?",
        "How often was the {it} seen?",
        "The {it} was seen how many times?", "How many times can the {it} be seen?",
        "How often is {a} there?",
    ),
    "list": (
        "What is seen?", "What things are there?", "List everything.", "List all things.", "What do you see?",
        "What can be seen?", "What is in the video?", "What happens?", "Name all things that are seen.",
        "Name everything in order.", "List all things in the order in which they appear.",
        "What is there to see?", "Which things are seen?", "Which objects are there?",
        "What does the video show?",
        "What things do you see?", "Tell me everything that is seen.", "List the things in order.",
        "Describe the video.", "Describe everything.", "What happens in the video?", "Say what is seen.",
        "What is this video about?", "What objects appear, in order?", "Which things appear?",
        "Give a list of all things.", "What is going on?", "Describe what happens.", "list the objects",
        "Tell me what happens.", "Give a description of the whole video.", "Sum up the video.",
        "What all do you see?", "Can you list all the objects?", "What did you see?", "summary",
        "What has been seen?", "What have you seen?", "Which things have appeared?",
        "Which things are shown?", "Tell me what is shown.", "What is shown here?", "What has been shown?",
        "List what was on screen.", "Name every object.", "List each thing that is shown.",
        "Every object in order, please.", "Which objects are visible?",
        # never trained on
        "What can you see?", "Which things are there?", "List every thing that appears.",
        "What appears in the video?", "Tell me all the things in order.", "What was shown?",
    ),
    "first": (
        "What comes first?", "What is seen first?", "What is the first thing?", "What appears first?",
        "Which thing is first?", "What was the first thing?", "What do you see first?",
        "Which thing comes first?",
        "What is there at the start?", "What is seen at the start?", "Tell me what comes first.",
        "What is the first object?", "Name the first thing.", "What came first?", "the first thing",
        "Say what appears first.", "What was seen first?", "Which object was the first?",
        "How does the video start?", "What happens first?", "What do we see at the beginning?",
        "first thing?", "At the beginning, what is there?", "In the beginning, what do you see?",
        "What is shown first?", "What is shown first of all?", "What was there first of all?",
        # never trained on
        "Which thing appears first?", "What was there first?", "Name the object that comes first.",
        "What is the first thing you see?", "What did we see first?", "At the start, what is seen?",
    ),
    "last": (
        "What comes last?", "What is seen last?", "What is the last thing?", "What appears last?",
        "Which thing is last?", "What was the last thing?", "What do you see last?",
        "Which thing comes last?",
        "What is there at the end?", "What is seen at the end?", "Tell me what comes last.",
        "What is the last object?", "Name the last thing.", "What came last?", "the last thing",
        "Say what appears last.", "What was seen last?", "Which object was the last?",
        "How does the video end?", "What happens last?", "What do we see at the end?", "last thing?",
        "At the very end, what is there?", "In the end, what do you see?",
        "What was shown last?", "What comes last of all?", "Last of all, what is seen?",
        # never trained on
        "Which thing appears last?", "What was there last?", "Name the object that comes last.",
        "What is the last thing you see?", "What did we see last?", "At the end, what is seen?",
    ),
    "at": (
        "What happens {at}?", "What is seen {at}?", "What is there {at}?", "What do you see {at}?",
        "What can be seen {at}?", "What was there {at}?", "Tell me what is seen {at}.",
        "Which things are there {at}?",
        "What do we see {at}?", "Describe what happens {at}.", "What appears {at}?", "what is going on {at}",
        "Which thing is seen {at}?", "{at}, what is seen?", "{at}, what happens?", "What is shown {at}?",
        "Name what is seen {at}.", "What is in the video {at}?", "Describe the scene {at}.",
        "What happened {at}?",
        # never trained on
        "What was seen {at}?", "Which things are seen {at}?", "{at}, what do you see?",
        "Tell me what happens {at}.", "What did we see {at}?", "What is visible {at}?",
    ),
    "after": (
        "What comes after the {it}?", "What is seen after the {it}?", "What appears after the {it}?",
        "What follows the {it}?", "What came after the {it}?", "What happens after the {it}?",
        "After the {it}, what is seen?", "Which thing comes after the {it}?", "What is there after the {it}?",
        "What do you see after the {it}?", "Tell me what comes after the {it}.",
        "After the {it}, what comes next?",
        "what was after the {it}", "Which things are seen after the {it}?",
        "What has come after the {it}?", "What is coming after the {it}?", "What is next after the {it}?",
        "Once the {it} is gone, what comes?", "Following the {it}, what is seen?",
        "What is shown after the {it}?",
        "The {it} is followed by what?",
        "What is following the {it}?",
        # never trained on
        "What was seen after the {it}?", "What followed the {it}?", "What shows up after the {it}?",
        "What do we see after the {it}?", "Say what came after the {it}.",
        "Which things appear after the {it}?",
    ),
}  # fmt: skip
BEYOND = "beyond"  # whatever can't be answered
ALL = (*FAMILIES, *MORE)
OF_SCENES = ("list", "first", "last", "at", "after")  # that need whatever a segment shows
MOMENTS = (
    "at {m}", "at {m}", "at {m}", "at {s} seconds", "at second {s}", "{s} seconds in", "at {s} s",
    "around {m}",
    "at {s}s", "at the time {m}", "at minute {m}", "after {s} seconds",
)  # fmt: skip
FOLLOWING: dict[str, tuple[str, ...]] = {  # that name nothing: asked after another question
    "colour": (
        "What color was it?", "And what color is it?", "which color does it have", "And its color?",
        "In what color?", "And the color?", "What's its color?", "Tell me its color.",
        "And which color was it?", "What color did it have?", "Of what color is it?",
    ),
    "when": (
        "When?", "And when was that?", "When does it appear?", "At what time?", "When is it seen?",
        "and when",
        "At which second?", "Tell me when.",
        "When was it seen?", "When did it appear?", "And at what time was that?",
    ),
    "direction": (
        "Which way did it go?", "And where did it go?", "Which way does it move?", "In which direction?",
        "Where does it go?", "what direction", "Which direction did it move in?", "How does it move?",
        "And which way did it move?", "Where did it move?", "In what direction did it go?",
    ),
    "together": (
        "What was with it?", "And what else was there?", "Was it alone?", "What else is seen with it?",
        "Was there anything with it?", "what else", "What is beside it?", "Together with what?",
        "And what was seen with it?", "What else was with it?", "Is it alone?",
    ),
    "times": (
        "How often?", "How often does it appear?", "How many times is it seen?", "How many times?",
        "Does it appear once or twice?", "and how often",
        "How often is it seen?", "How many times did it appear?", "And how many times was that?",
    ),
    "hue": (
        "Is it {hue}?", "Was it {hue}?", "And is it {hue}?", "it is {hue}, right?", "Does it look {hue}?",
        "Is its color {hue}?",
        "Was it {hue} or not?", "And was it {hue}?", "Is that one {hue}?",
    ),
    "turn": (
        "Did it go {hue}?", "Did it turn {hue}?", "Is it going {hue}?", "Does it move {hue}?",
        "And did it move {hue}?", "it went {hue}, right?",
        "And did it go {hue}?", "Was it moving {hue}?", "Did it move {hue}?",
    ),
    "moved": (
        "Did it move?", "Does it move?", "Is it moving?", "And did it move at all?",
        "Was it moving?", "And does it move?", "Did it go anywhere?",
    ),
    "after": (
        "And after that?", "What came after that?", "And then?", "What is next?", "what happens after that",
        "What comes after it?", "And what came next?", "Then what?", "After that?",
        "What was seen after that?", "And what comes after that?", "What came next?",
    ),
}  # fmt: skip
HELD_OUT_FOLLOWING = 3  # of each
