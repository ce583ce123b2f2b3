"""What mod_python3 hands to a module inside the switch, as far as ours uses it."""

LEG = "20ce9487-d732-469d-9148-54a9764b3db2"


class Session:
    """The part of the switch's Session that is used: variables of one leg, as SWIG hands them over."""

    def __init__(self, **variables: str) -> None:
        self.variables = {"uuid": LEG, "destination_number": "15145551234", "caller_id_number": "5145550199"}
        self.variables |= {"esl_ask_account": "1001", "esl_ask_product": "termination"} | variables
        self.order: list[str] = []

    def getVariable(self, name: str) -> str | None:
        return self.variables.get(name)

    def setVariable(self, name: str, value: str) -> None:
        self.order.append(name)
        self.variables[name] = value

    def answer(self) -> dict[str, str]:
        return {name: self.variables[name] for name in dict.fromkeys(self.order)}


class Headers(dict[str, str]):
    """The part of the switch's Event that is used."""

    getHeader = dict.get


class Stream:
    """The part of the switch's Stream that is used."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Freeswitch:
    """What `import freeswitch` gives inside the switch."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self.said: list[str] = []

    def getGlobalVariable(self, name: str) -> str | None:
        return self.settings.get(name)

    def consoleLog(self, level: str, text: str) -> None:
        self.said.append(text)
