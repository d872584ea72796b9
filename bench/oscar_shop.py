"""django-oscar, run by the Python of its own environment: makes a shop, or takes orders in it.

It imports nothing of ours. Each task is a line of JSON on its input, as `bench.processes` has it.
"""

import json
import sys
import threading
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings

ADDRESS = {
    "first_name": "Ann",
    "last_name": "Archer",
    "line1": "Main Street 1",
    "line4": "Springfield",
    "postcode": "12345",
    "country_id": "US",
}


def main() -> None:
    """Do what the task says."""
    task = json.loads(sys.stdin.readline())
    _configure(task["url"])
    if sys.argv[1] == "make":
        _make(task["products"], task["baskets"])
    else:
        _take_orders(task)


def _configure(url: str) -> None:
    from oscar import INSTALLED_APPS, defaults  # noqa: PLC0415

    address = urlsplit(url)
    settings.configure(
        **{name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")},
        INSTALLED_APPS=INSTALLED_APPS,
        SECRET_KEY="not one",  # noqa: S106 it signs nothing here
        SITE_ID=1,
        USE_TZ=True,
        ROOT_URLCONF="",
        HAYSTACK_CONNECTIONS={
            "default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}
        },
        AUTHENTICATION_BACKENDS=("oscar.apps.customer.auth_backends.EmailBackend",),
        # The tables as the models have them, without the history of how they came to be.
        MIGRATION_MODULES=_NoMigrations(),
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": address.path.lstrip("/"),
                "USER": unquote(address.username or ""),
                "PASSWORD": unquote(address.password or ""),
                "HOST": address.hostname,
                "PORT": address.port,
                "OPTIONS": {"sslmode": "disable"},
            }
        },
    )
    django.setup()
    from oscar.apps.analytics.receivers import receive_order_placed  # noqa: PLC0415
    from oscar.apps.order.signals import order_placed  # noqa: PLC0415

    # Counters of what was bought are no part of taking an order, and cost it statements.
    order_placed.disconnect(receive_order_placed)


class _NoMigrations(dict[str, None]):
    """Says of every application that it has no migrations."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> None:
        return None


def _make(products: int, baskets: int) -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from oscar.core.loading import get_model  # noqa: PLC0415

    call_command("migrate", run_syncdb=True, verbosity=0)
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="US", printable_name="United States", is_shipping_country=True
    )
    kind = get_model("catalogue", "ProductClass").objects.create(name="Goods", track_stock=True)
    partner = get_model("partner", "Partner").objects.create(name="Partner")
    product = get_model("catalogue", "Product")
    made = product.objects.bulk_create(
        product(title=f"Product {n}", slug=f"product-{n}", upc=f"SKU-{n}", product_class=kind)
        for n in range(products)
    )
    record = get_model("partner", "StockRecord")
    record.objects.bulk_create(
        record(product=each, partner=partner, partner_sku=each.upc, price="9.99", num_in_stock=0)
        for each in made
    )
    users = get_user_model()
    buyers = users.objects.bulk_create(
        users(username=f"buyer{n}", email=f"buyer{n}@example.com", password="!")  # noqa: S106
        for n in range(baskets)
    )
    basket = get_model("basket", "Basket")
    basket.objects.bulk_create(basket(owner=buyer) for buyer in buyers)


def _take_orders(task: Mapping[str, Any]) -> None:
    first_basket = _first_basket()
    begins, stop = task["first"] + task["warm_up"], task["stop"]

    def run(numbers: range) -> dict[str, Any]:
        return _closed_loop(task["callers"], numbers, task["within"], task["tag"], first_basket)

    run(range(task["first"], begins))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(run(range(begins, stop))), flush=True)


def _closed_loop(
    callers: int, numbers: range, within: float, tag: str, first_basket: int
) -> dict[str, Any]:
    waiting = iter(numbers)
    seconds: list[float] = []
    refused: list[int] = []
    failures: list[BaseException] = []
    begun = perf_counter()

    def call() -> None:
        from django.db import connection  # noqa: PLC0415

        try:
            for number in waiting:
                asked = perf_counter()
                if _place(first_basket + number, f"{tag}-{number}"):
                    seconds.append(perf_counter() - asked)
                else:
                    refused.append(number)
                if failures or perf_counter() - begun > within:
                    return
        except BaseException as failure:  # noqa: BLE001 raised again below
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    ended = perf_counter()
    return {"begun": begun, "ended": ended, "seconds": seconds, "refused": len(refused)}


def _first_basket() -> int:
    from oscar.core.loading import get_model  # noqa: PLC0415

    return int(get_model("basket", "Basket").objects.order_by("id").values_list("id")[0][0])


def _place(basket_id: int, number: str) -> bool:
    """Place an order as oscar's own checkout views do, in one transaction as its sandbox does.

    Stock is checked as `CheckoutSessionMixin.check_basket_is_valid` does, and allocated by
    `OrderCreator.place_order`, which does not look at it again.
    """
    from django.db import transaction  # noqa: PLC0415
    from oscar.core.loading import get_class, get_model  # noqa: PLC0415

    with transaction.atomic():
        basket = get_model("basket", "Basket").objects.select_related("owner").get(id=basket_id)
        basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=basket.owner)
        for line in basket.all_lines():
            permitted, _ = line.purchase_info.availability.is_purchase_permitted(line.quantity)
            if not permitted:
                return False
        shipping = get_class("shipping.methods", "Free")()
        charge = shipping.calculate(basket)
        total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(
            basket, charge
        )
        get_class("order.utils", "OrderCreator")().place_order(
            basket=basket,
            total=total,
            shipping_method=shipping,
            shipping_charge=charge,
            user=basket.owner,
            shipping_address=get_model("order", "ShippingAddress").objects.create(**ADDRESS),
            billing_address=get_model("order", "BillingAddress").objects.create(**ADDRESS),
            order_number=number,
        )
        basket.submit()
    return True


if __name__ == "__main__":
    main()
