"""Who is meant by an identity."""

from loyalty.book import Account, Book
from loyalty.core.facts import Identity


def account_for(book: Book, identity: Identity) -> Account | None:
    """The account of whoever did something; opened when nobody is known by it. None when it names nobody.

    A guest who turns up with a customer record under the same e-mail is that customer, once the customer has shown that it is theirs.
    """
    if identity.is_nobody():
        return None
    account = book.by_customer(identity.customer_id)
    if account is not None:
        return account
    guest = book.by_email(identity.email)
    if identity.customer_id is None:
        return guest or book.open_account(None, identity.email)
    if guest is not None and guest.shopify_customer_id is None and identity.verified:
        book.rename(guest, customer_id=identity.customer_id, email=guest.email)
        return guest
    return book.open_account(identity.customer_id, None if guest is not None else identity.email)
