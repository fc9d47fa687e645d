"""The words that events use: categories, intents and score names, each with its meaning.

Consumers must accept words that they do not know: a new model or a new version may add some. The schemas list the
words of this version as examples, and docs/reference.md explains them.
"""

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A word of a contract. `meaning` explains it to people; as a string it is the word itself."""

    _value_: str
    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


class Category(Word):
    """Why a query may be unsafe. The order is the order of the probabilities in events."""

    HATE = "hate", "Attacks people for what they are, such as their origin, religion or gender."
    HARASSMENT = "harassment", "Insults or threatens a person."
    SEXUAL = "sexual", "Asks for sexual content."
    VIOLENCE = "violence", "Asks for, glorifies or plans violence."
    SELF_HARM = "self_harm", "Asks how to hurt oneself, or says that one wants to."
    ILLICIT = "illicit", "Asks for help with a crime, drugs, weapons or an intrusion."
    SPAM = "spam", "Advertising, link dropping or generated noise."
    PROMPT_INJECTION = "prompt_injection", "Tries to give instructions to a language model."
    PERSONAL_DATA = "personal_data", "Contains data of a person, such as a card number or an address."


class Intent(Word):
    """What the query wants. The first ten are the domains of CLINC150 (Larson et al., 2019)."""

    TRAVEL = "travel", "Flights, hotels, visas and sights."
    BANKING = "banking", "Accounts, balances, transfers and bills."
    UTILITY = "utility", "Time, weather, calculations, reminders and other small tools."
    WORK = "work", "Pay, leave, meetings and taxes."
    CREDIT_CARDS = "credit_cards", "Card limits, rewards, replacement and fraud."
    AUTO_AND_COMMUTE = "auto_and_commute", "Cars, traffic, directions and fuel."
    KITCHEN_AND_DINING = "kitchen_and_dining", "Recipes, restaurants and food."
    SMALL_TALK = "small_talk", "Greetings, jokes and questions to the assistant."
    META = "meta", "Settings of the assistant itself, such as its language or name."
    HOME = "home", "Shopping lists, orders, music and smart devices."
    BANKING_SUPPORT = "banking_support", "A problem with an account, a card or a payment."
    PRODUCT_SEARCH = "product_search", "Looks for a product."
    NAVIGATION = "navigation", "Looks for a page, a site or a place in the shop."
    SUPPORT = "support", "Asks for help with an order, a product or a service."
    OTHER = "other", "None of these, or the model did not say."


class ScoreName(Word):
    """What a score of a ranking event measures."""

    SPECIFICITY = "specificity", "How specific the query is: its words, from 0 to 6 or more, as 0 to 1."
    FIDELITY = "fidelity", "How similar the lexical query is to what the user typed."
    SAFETY = "safety", "The model's probability that the query is safe. Missing when the model did not answer."
