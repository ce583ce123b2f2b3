"""An agent for the doors to ask: it answers as told, and remembers what it was asked and what was lost."""

from collections.abc import Callable

from fixtures.scripted_switch import PATIENCE_S
from gevent.event import Event
from gevent.queue import Queue

from esl_agent.core.admission.question import Question
from esl_agent.switch.door import Answer
from esl_agent.switch.outbound import OutboundDoor
from esl_agent.switch.peers import PeerLimits
from esl_agent.switch.trouble import Trouble, TroubleKind

#: Patience that no test is to exhaust.
PATIENT = PeerLimits(ask_timeout_s=PATIENCE_S, answer_timeout_s=PATIENCE_S)
SOON_S = 0.05  # a deadline that is meant to pass

OpenOutbound = Callable[..., OutboundDoor]

NOW_US = 1795417869008690

ADMITTED = Answer(
    {
        "esl_admission": "76a32f67-0256-4268-a1ba-e0317bb38fcb",
        "esl_account": "1001",
        "esl_reason": "",
        "esl_route_1": (
            "[origination_uuid=06add903-7912-4af7-bfda-bdc950550e4f,esl_carrier=alpha,"
            "api_on_answer_esl=sched_api +60 cut_x uuid_kill x ALLOTTED_TIMEOUT]"
            "sofia/gateway/alpha/15145551234"
        ),
        "esl_route_2": "[esl_carrier=beta]sofia/gateway/beta/+15145551234",
        "esl_admitted": "true",
    }
)


class Agent:
    """`decide` is what a door is given; replace `verdict` to have it wait or fail."""

    def __init__(self) -> None:
        self.questions: Queue[Question] = Queue()
        self.troubles: Queue[Trouble] = Queue()
        self.undelivered: Queue[tuple[Question, Answer]] = Queue()
        self.verdict: Callable[[Question], Answer] = lambda question: ADMITTED

    def decide(self, question: Question) -> Answer:
        self.questions.put(question)
        return self.verdict(question)

    def waits(self) -> Event:
        """From now on it answers nothing until the event is set."""
        may_answer = Event()

        def wait(question: Question) -> Answer:
            assert may_answer.wait(PATIENCE_S)
            return ADMITTED

        self.verdict = wait
        return may_answer

    def fails(self) -> None:
        def fail(question: Question) -> Answer:
            raise RuntimeError("the agent's own fault")

        self.verdict = fail

    def now_us(self) -> int:
        return NOW_US

    def lose(self, question: Question, answer: Answer) -> None:
        self.undelivered.put((question, answer))

    def asked(self) -> Question:
        return self.questions.get(timeout=PATIENCE_S)

    def trouble(self, kind: TroubleKind) -> Trouble:
        """The next trouble of this kind; others are passed over."""
        while True:
            trouble = self.troubles.get(timeout=PATIENCE_S)
            if trouble.kind is kind:
                return trouble
