"""What a person does on the pages of the web frontend, a step of several clicks each."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.clients.frontend_session import Person

FEATURE_NAME = "input[placeholder^='Feature name']"
CONFIRM = "(//*[@role='alertdialog']//button)[last()]"


def row(layer: str) -> str:
    """Return the XPath of a layer's row beside the map."""
    return f"//*[@role='application'][contains(@aria-label, '{layer}')]"


def icon(name: str) -> str:
    """Return the XPath of the buttons that show this icon."""
    return f"//button[.//*[contains(@class, 'lucide-{name}')]]"


def last(path: str) -> str:
    """Return the XPath of the last of several elements."""
    return f"({path})[last()]"


def layer_names(person: Person) -> list[str]:
    """Return the names of the map's layers, uppermost first."""
    rows = person.browser.find_elements(By.CSS_SELECTOR, "[role=application] h3")
    return [name.text for name in rows]


def layer_information(person: Person, name: str) -> str:
    """Return what the page tells of a layer of the map."""
    person.clicks(f"{row(name)}{icon('info')}")
    person.clicks("Details")
    person.until(lambda: person.sees("Last Modified"))
    text = person.find("[role=dialog]").text
    close_dialog(person)
    return text


def close_dialog(person: Person) -> None:
    """Close the dialog that is open."""
    person.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    person.until(lambda: not person.browser.find_elements(By.CSS_SELECTOR, "[role=dialog]"))


def choose_new_category(person: Person, name: str) -> None:
    """Choose a category that there was none of, in the form of a layer."""
    person.clicks("//label[contains(., 'Category')]/following-sibling::button")
    person.clicks(last("//*[@role='option']"))
    person.writes("#newCategory", name + Keys.ENTER)


def create_map(person: Person, name: str, collaborator: str) -> None:
    """Make a map that its collaborators may change, and invite one by their email."""
    person.clicks("Maps")
    person.clicks("Create New Map")
    person.writes("#map-name", name)
    person.writes("#map-description", "Wind and fishing")
    person.clicks("(//*[@role='dialog']//button[@role='combobox'])[1]")
    person.clicks("//*[@role='option'][contains(., 'Collaborators')]")
    person.writes("#collaborator-email", collaborator + Keys.ENTER)
    person.clicks("Create Map")


def open_map(owner: Person, editor: str) -> None:
    """Let everyone see the only map, and one more person change it."""
    owner.clicks("Maps")
    owner.clicks(last(icon("pencil")))
    owner.writes("#collaborator-email", editor + Keys.ENTER)
    owner.clicks("(//*[@role='dialog']//button[@role='combobox'])[2]")
    owner.clicks("//*[@role='option'][contains(., 'Everyone can view')]")
    _save_map(owner)


def rename_map(person: Person, name: str) -> None:
    """Give the only map another name."""
    person.clicks("Maps")
    person.clicks(last(icon("pencil")))
    person.writes("#map-name", name)
    _save_map(person)


def _save_map(person: Person) -> None:
    person.clicks("Save Changes")
    person.until(lambda: person.sees("Map updated successfully"))


def delete_map(owner: Person) -> None:
    """Delete the only map."""
    owner.clicks("Maps")
    owner.clicks(last(icon("trash-2")))
    owner.clicks(CONFIRM)
    owner.until(lambda: owner.sees("Map deleted successfully"))


def delete_account(person: Person) -> None:
    """Delete one's account, which signs one out."""
    person.clicks(icon("settings"))
    person.clicks("//*[@role='dialog']//button[contains(., 'Delete')]")
    person.writes("#deleteConfirm", "DELETE")
    person.clicks(CONFIRM)
    person.until(lambda: person.sees("Sign In"))


def begin_layer(person: Person, name: str, category: str) -> None:
    """Open the page that makes a layer, and say what it is."""
    person.clicks("Create Layer")
    person.writes("#layer-name", name)
    person.writes("#layer-description", f"What {name} is")
    choose_new_category(person, category)


def save_new_layer(person: Person) -> None:
    """Save the layer that was begun."""
    person.clicks("Create Layer")
    person.until(lambda: person.sees("Layer added to map"))
    person.settles()


def edit_layer(person: Person, name: str) -> None:
    """Open the page that changes a layer of the map."""
    person.clicks(f"{row(name)}//button[@title='Edit layer']")


def save_layer(person: Person) -> None:
    """Save the layer that is edited."""
    person.clicks("Save Changes")
    person.until(lambda: person.sees("Layer updated"))
    person.settles()


def add_from_library(person: Person, name: str) -> None:
    """Put a layer of the library, or of one's own, on the map."""
    person.clicks("Add from Library")
    person.clicks(
        f"//h3[normalize-space()='{name}']/ancestor::div[3]//button[normalize-space()='Add']"
    )
    person.until(lambda: name in layer_names(person))
    person.settles()


def take_off_map(person: Person, name: str) -> None:
    """Take a layer off the map."""
    person.clicks(f"{row(name)}{icon('trash-2')}")
    person.clicks(CONFIRM)
    person.until(lambda: name not in layer_names(person))


def comment(person: Person, text: str) -> None:
    """Comment on the map."""
    person.writes("textarea[placeholder='Add a comment...']", text)
    person.clicks("Post Comment")
    person.until(lambda: person.sees("Comment added"))


def reply(person: Person, text: str) -> None:
    """Answer the first comment."""
    person.clicks("//button[starts-with(normalize-space(), 'Reply')]")
    person.writes("textarea[placeholder='Write your reply...']", text)
    person.clicks("Post Reply")
    person.until(lambda: person.sees(text) and not person.sees("Replying to"))
    person.settles()


def resolve(person: Person) -> None:
    """Resolve the first comment."""
    person.clicks("(//button[contains(@class, 'hover:text-green-600')])[1]")
    person.until(lambda: person.sees("Resolved"))
