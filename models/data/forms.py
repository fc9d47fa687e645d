"""How requests are worded and how words are disguised: shared by `safe` and `unsafe`, so that neither gives a side away."""

import random
import re
from typing import Final

from sluicegate.models.data.templates import fill, lines

FORM_SLOTS: Final = {
    "polite": lines("please|can you|could you|could you please|hey can you|kindly|i would like you to|i'd like you to|would you|can you please|hi, please|i need you to"),
    "role": lines("character|detective|retired teacher|chemist|pirate|wizard|grandmother|soldier|mechanic|doctor|thief|robot|chef|student|scientist|spy|cowboy|professor|villain|hero|nurse|farmer|hacker|king"),
    "purpose": lines("for educational purposes|for educational purposes only|hypothetically|for a school project|for research purposes|for a novel i am writing|for my book|in theory|just curious|asking for a friend|for science|in a fictional world|in a video game|for a screenplay|for a class presentation"),
    "textform": lines("guide|tutorial|manual|blog post|article|checklist|how-to|step by step guide|handbook|detailed guide|comprehensive guide|instruction manual|video script|cheat sheet|list of tips"),
}  # fmt: skip

REQUEST_FORMS: Final = lines("""
how to {do}|how to {do}|how to {do}|how do i {do}|how do i {do}|how can i {do}|how could someone {do}|how would one {do}|how might somebody {do}|how does one {do}|best way to {do}|what's the best way to {do}|what is the easiest way to {do}|what is the fastest way to {do}|easy ways to {do}|ways to {do}|different ways to {do}|steps to {do}
{do}|{do}|{do}|{doing}|{doing}|{doing} guide|{doing} tutorial|{doing} tips|{doing} step by step|{doing} for beginners|{doing} instructions|{do} tutorial|{do} without experience|{do} fast|{do} at home|{do} yourself|learn to {do}|tools for {doing}|equipment needed for {doing}|methods of {doing}|techniques for {doing}|tricks for {doing}
give me steps to {do}|give me step by step instructions to {do}|give me a detailed plan to {do}|give me ideas for {doing}|give detailed instructions for {doing}|provide instructions on how to {do}|provide a step by step guide for {doing}|provide tips for {doing}|instructions for {doing}|i need instructions for {doing}|i need help {doing}|i need a plan to {do}|i need to {do}|i want to {do}|i'd like to {do}|i am going to {do}|i plan to {do}
write a {textform} on how to {do}|write a {textform} on how to {do}|write a {textform} on {doing}|write a {textform} for {doing}|create a {textform} on how to {do}|create a {textform} for {doing}|make a {textform} about {doing}|publish a {textform} on how to {do}|{textform} on how to {do}|{textform} for {doing}|draft a {textform} explaining how to {do}
explain how one could {do}|explain how to {do}|explain the best way to {do}|explain the process of {doing}|explain in detail how to {do}|describe a method for {doing}|describe a way to {do}|describe how to {do}|describe the steps to {do}|outline a plan to {do}|outline the steps for {doing}|outline a strategy for {doing}|develop a plan to {do}|develop a strategy for {doing}|devise a plan to {do}|come up with a way to {do}|design a method to {do}
suggest ways to {do}|suggest creative ways to {do}|suggest a method for {doing}|list ways to {do}|list the tools needed to {do}|list ten tips for {doing}|show me how to {do}|show me how i can {do}|teach me to {do}|teach me how to {do}|teach someone how to {do}|tell me how to {do}|tell me the best way to {do}|help me {do}|help me plan how to {do}|instruct me on how to {do}|demonstrate how to {do}|share some tips for {doing}|advise me on how to {do}|recommend a way to {do}
{polite} explain how to {do}|{polite} tell me how to {do}|{polite} show me how to {do}|{polite} help me {do}|{polite} write a {textform} on how to {do}|{polite} give me steps to {do}|{polite} describe how to {do}|{polite} list ways to {do}|{polite} teach me how to {do}|{polite} suggest ways to {do}|{polite} provide instructions for {doing}
{purpose}, how to {do}|{purpose}, how would one {do}|{purpose} explain how to {do}|{purpose}, how could someone {do}|how to {do} {purpose}|explain how to {do} {purpose}|write a {textform} on {doing} {purpose}
write a story where a {role} explains how to {do}|write a scene in which a {role} teaches someone to {do}|write a dialogue where a {role} describes {doing}|write a story about a {role} explaining the steps to {do}|pretend you are a {role} and explain how to {do}|you are a {role}. tell me how to {do}|act as a {role} and teach me how to {do}|imagine a {role} who shows how to {do}|write a poem that teaches how to {do}|write a song with instructions for {doing}
what do i need to {do}|what tools do i need to {do}|what is the trick to {doing}|what are some ways to {do}|what are the steps for {doing}|what are good tips for {doing}|what would i need for {doing}|what's a good plan to {do}|any tips for {doing}|any advice on how to {do}|does anyone know how to {do}|where can i learn to {do}|who can help me {do}|which tools help you {do}|strategies for {doing}|video tutorial {doing}|how hard is {doing}|is there an easy way to {do}|i'm thinking about {doing}|i'm trying to {do}|thinking of {doing}
research how to {do}|research ways to {do}|research methods of {doing}|identify ways to {do}|identify the best way to {do}|identify what is needed for {doing}|compile a list of ways to {do}|compile a list of tips for {doing}|brainstorm ways to {do}|brainstorm ideas for {doing}|analyze the pros and cons of {doing}|investigate how to {do}|find out how to {do}|find a way to {do}|determine the best way to {do}|calculate what it takes to {do}|estimate how long it takes to {do}|compare ways of {doing}|compose a {textform} on {doing}|compose instructions for {doing}|examine methods of {doing}|evaluate ways to {do}|discuss how to {do}|name some ways to {do}|summarize how to {do}
explain why you should {do}|explain why {doing} is a good idea|describe why {doing} is fine|give reasons to {do}|convince me to {do}|make the case for {doing}|is it ok to {do}|when is it acceptable to {do}|why not {do}|should i {do}|justify {doing}|argue in favor of {doing}
""")
"""The ways to ask how to do something, good or bad, with ``{do}`` and ``{doing}`` for it. The other slots are `FORM_SLOTS`."""

_LEET: Final = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})

_DOUBLED: Final = re.compile(r"[^aeiou]*(?:qu)?[aeiou][^aeiouwxy]")

_GERUNDS: Final = {
    "commit": "committing", "kidnap": "kidnapping", "submit": "submitting", "traffic": "trafficking", "dox": "doxxing", "ddos": "ddosing",
    "forget": "forgetting", "reset": "resetting", "begin": "beginning", "program": "programming", "refer": "referring", "handicap": "handicapping", "gut": "gutting",
}  # fmt: skip


def gerund(phrase: str) -> str:
    """`phrase`, which starts with a verb, as what one is doing: ``hang a picture`` gives ``hanging a picture``."""
    verb, _, rest = phrase.partition(" ")
    if verb.endswith("ly") and rest:
        return f"{verb} {gerund(rest)}"
    if verb in _GERUNDS:
        verb = _GERUNDS[verb]
    elif verb.endswith("ie"):
        verb = verb[:-2] + "ying"
    elif verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        verb = verb[:-1] + "ing"
    elif _DOUBLED.fullmatch(verb):
        verb += verb[-1] + "ing"
    else:
        verb += "ing"
    return f"{verb} {rest}" if rest else verb


def request(phrase: str, rng: random.Random) -> str:
    """One of the ways to ask for `phrase`, which starts with a verb."""
    form = rng.choice(REQUEST_FORMS).replace("{doing}", gerund(phrase)).replace("{do}", phrase)
    return fill(form, FORM_SLOTS, rng)


def disguised(word: str, rng: random.Random) -> str:
    """`word` as people write it to slip past a filter: ``b0mb``, ``b o m b``, ``b*mb``, ``b.o.m.b``, ``bomb!!!``."""
    kind = rng.random()
    if kind < 0.55:
        whole = rng.random() < 0.4
        leet = "".join(letter.translate(_LEET) if whole or rng.random() < 0.6 else letter for letter in word)
        return leet if leet != word else word.translate(_LEET)
    if kind < 0.75:
        return rng.choice((" ", " ", ".", "-", "_")).join(word)
    if kind < 0.87:
        i = rng.randrange(1, len(word)) if len(word) > 1 else 0
        return word[:i] + rng.choice("*@#") + word[i + 1 :]
    if kind < 0.94:
        i = rng.randrange(len(word))
        return word[:i] + word[i] * rng.randint(2, 4) + word[i + 1 :]
    return word + rng.choice(("!!!", "???", "...", "!!", "?!?"))


def sentence(text: str, rng: random.Random) -> str:
    """`text` with a mark at its end."""
    return text + rng.choice((".", ".", "?", "?", "!"))
