"""Demonstration accounts of two agencies, dated around today: plainly fictional people, the same FileNumbers.

Social security numbers begin with 900-99 (never issued), phone numbers are 555-01xx, addresses of mail end in
example.com, .net or .org.
"""

from datetime import date, timedelta

# FileNumber, what is special about it. Both agencies use the same numbers for other people, on purpose.
CASES = (
    "100234",  # $1,000.00 and no Settlement: the portal's global default offer applies
    "100235",  # Settlement by percent, 60 % in up to 3 payments within 90 days
    "100236",  # Settlement by amount
    "100237",  # recalled: no access
    "100238",  # speaks Spanish
    "100239",  # pays by ACH, one ACH post-date pending and one payment on its way
    "100240",  # no OriginalCreditor and no ContractDate: cards are disabled
    "100241",  # two accounts of one consumer ...
    "100242",  # ... through the same ConsumerID
    "100243",  # several phones: the first "Cell Phone" that is a "Good Number" wins
    "100244",  # payments and post-dates in every status
    "100245",  # itemized debt that may be too old to sue for, narrow PaymentOptions
)

ACME_PEOPLE = (
    ("Ada", "Examplova", "18 Placeholder Lane", "Albany", "NY", "12207"),
    ("Beau", "Sampleton", "4 Mockup Street", "Austin", "TX", "78701"),
    ("Cleo", "Pretendia", "77 Invented Avenue", "Columbus", "OH", "43215"),
    ("Dov", "Fakenham", "9 Nowhere Court", "Tampa", "FL", "33602"),
    ("Carmen", "Ficticia", "210 Calle Inventada", "San Antonio", "TX", "78205"),
    ("Etta", "Mockford", "31 Madeup Road", "Denver", "CO", "80202"),
    ("Finn", "Demoson", "6 Testcase Terrace", "Portland", "OR", "97204"),
    ("Gwen", "Notreal", "150 Imaginary Way", "Chicago", "IL", "60601"),
    ("Gwen", "Notreal", "150 Imaginary Way", "Chicago", "IL", "60601"),
    ("Hugo", "Makebelieve", "12 Dummy Drive", "Phoenix", "AZ", "85004"),
    ("Iris", "Samplewood", "88 Fable Street", "Atlanta", "GA", "30303"),
    ("Joel", "Storybook", "3 Legend Loop", "Buffalo", "NY", "14202"),
)
BIRCH_PEOPLE = (
    ("Kira", "Specimen", "5 Prototype Place", "Seattle", "WA", "98101"),
    ("Lars", "Testberg", "40 Fixture Street", "Madison", "WI", "53703"),
    ("Mona", "Exemplar", "19 Stand-in Street", "Boston", "MA", "02108"),
    ("Nils", "Dummyson", "66 Phantom Path", "Nashville", "TN", "37203"),
    ("Ofelia", "Inventada", "71 Camino Ficticio", "Tucson", "AZ", "85701"),
    ("Pete", "Placeholderson", "2 Blank Boulevard", "Omaha", "NE", "68102"),
    ("Quinn", "Mockingham", "14 Draft Drive", "Raleigh", "NC", "27601"),
    ("Rosa", "Fablewright", "93 Sketch Street", "Newark", "NJ", "07102"),
    ("Rosa", "Fablewright", "93 Sketch Street", "Newark", "NJ", "07102"),
    ("Sven", "Imaginer", "27 Novel Avenue", "Boise", "ID", "83702"),
    ("Thea", "Pretendwell", "8 Parable Plaza", "Detroit", "MI", "48226"),
    ("Ugo", "Neverwas", "55 Myth Mews", "Syracuse", "NY", "13202"),
)
ACME_CLIENTS = (("C-010", "Northwind Family Dental"), ("C-020", "Granite Sample Bank"))
BIRCH_CLIENTS = (("B-100", "Fictional Valley Power"), ("B-200", "Paperback Credit Union"))

BALANCES = (
    "1000.00",
    "2400.00",
    "860.50",
    "515.00",
    "742.18",
    "1320.00",
    "298.75",
    "640.00",
    "185.25",
    "4310.40",
    "1875.00",
    "530.00",
)


def acme(today: date) -> list[dict]:
    return accounts(today=today, initial="A", people=ACME_PEOPLE, clients=ACME_CLIENTS, first_ssn=1)


def birch(today: date) -> list[dict]:
    return accounts(today=today, initial="B", people=BIRCH_PEOPLE, clients=BIRCH_CLIENTS, first_ssn=51)


def accounts(*, today: date, initial: str, people, clients, first_ssn: int) -> list[dict]:
    made = []
    for index, number in enumerate(CASES):
        record = plain_account(
            today=today,
            number=number,
            initial=initial,
            person=people[index],
            client=clients[index % 2],
            balance=BALANCES[index],
            ssn=first_ssn + (index if number != "100242" else index - 1),
        )
        made.append(record | special(number, record, today))
    return [{name: value for name, value in record.items() if value is not None} for record in made]


def plain_account(*, today, number: str, initial: str, person, client, balance: str, ssn: int) -> dict:
    first, last, street, city, state, code = person
    client_number, client_name = client
    assigned = today - timedelta(days=75)
    mail = f"{first}.{last}@example.{'com' if initial == 'A' else 'net'}".lower()
    return {
        "FileNumber": number,
        "Status": "ACTIVE",
        "ClientNumber": client_number,
        "ClientName": client_name,
        "ConsumerID": f"{initial}-{ssn:04d}",
        "FirstName": first,
        "LastName": last,
        "Address": {"Street1": street, "Street2": "", "City": city, "State": state, "Zip": code},
        "SSN": f"900-99-{ssn:04d}",
        "DOB": f"19{60 + ssn % 35}-{ssn % 12 + 1:02d}-{ssn % 27 + 1:02d}",
        "CurrentBalance": balance,
        "AssignedBalance": balance,
        "AssignedDate": assigned.isoformat(),
        "ListedDate": assigned.isoformat(),
        "Phones": [
            {
                "Type": "Cell Phone",
                "Status": "Good Number",
                "Number": f"+1212555{100 + ssn:04d}",
                "Route": "RF-16",
                "Evidence": {
                    "ConsentOn": (today - timedelta(days=20)).isoformat(),
                    "Source": "text to agency",
                },
            }
        ],
        "Emails": [
            {
                "Address": mail,
                "Route": "RF-13",
                "Evidence": {"ConsentOn": (today - timedelta(days=40)).isoformat(), "Source": "agency call"},
            }
        ],
        "OriginalCreditor": client_name,
        "AccountDescription": f"Account ending {number[-4:]}",
        "ContractDate": (today - timedelta(days=700)).isoformat(),
        "DebtType": "MEDICAL" if "Dental" in client_name else "CONSUMER",
        "Language": "en",
        "ItemizationDate": (today - timedelta(days=160)).isoformat(),
        "ItemizationBasis": "charge-off",
        "Itemization": {
            "Balance": balance,
            "Interest": "0.00",
            "Fees": "0.00",
            "Payments": "0.00",
            "Credits": "0.00",
        },
        "ValidationSentOn": (today - timedelta(days=70)).isoformat(),
        "SolStatus": "live",
        "SolDate": (today + timedelta(days=900)).isoformat(),
    }


def special(number: str, record: dict, today: date) -> dict:
    """Answer what makes this account a case of its own; None removes a field."""

    def day(offset: int) -> str:
        return (today + timedelta(days=offset)).isoformat()

    def item(key: str, offset: int, amount: str, status: str, method: str = "CARD", last4: str = "4242") -> dict:
        return {
            "HostID": f"{record['ConsumerID'][0]}{number}-{key}",
            "PortalID": "",
            "Date": day(offset),
            "Amount": amount,
            "Method": method,
            "Last4": last4,
            "Status": status,
        }

    match number:
        case "100235":
            return {
                "Settlement": {
                    "Percent": 60,
                    "MaxPayments": 3,
                    "MaxDays": 90,
                    "Text": "Settle for 60 percent in up to three payments.",
                }
            }
        case "100236":
            return {"Settlement": {"Amount": "500.00", "MaxPayments": 2, "MaxDate": day(45)}}
        case "100237":
            return {"Status": "RECALL"}
        case "100238":
            return {"Language": "es"}
        case "100239":
            return {
                "PaymentOptions": {"CanPay": True, "SingleAch": True, "RecurringAch": True},
                "Payments": [item("1", -2, "120.00", "PROCESSED", "ACH", "6789")],
                "PostDates": [item("2", 26, "120.00", "PENDING", "ACH", "6789")],
            }
        case "100240":
            return {"OriginalCreditor": None, "ContractDate": None}
        case "100243":
            phones = [
                ("Home Phone", "Good Number", "0161"),
                ("Cell Phone", "Bad Number", "0162"),
                ("Cell Phone", "Good Number", "0163"),
                ("Cell Phone", "Good Number", "0164"),
            ]
            area = "602" if record["ConsumerID"][0] == "A" else "208"
            return {
                "Phones": [
                    {"Type": kind, "Status": status, "Number": f"+1{area}555{line}"} for kind, status, line in phones
                ]
            }
        case "100244":
            return {
                "AssignedBalance": "2000.00",
                "Itemization": record["Itemization"] | {"Balance": "2000.00", "Payments": "125.00"},
                "Payments": [
                    item("1", -60, "125.00", "POSTED"),
                    item("2", -45, "125.00", "DECLINED"),
                    item("3", -40, "150.00", "CHARGEBACK"),
                    item("4", -30, "90.00", "ACH REVERSAL", "ACH", "6789"),
                    item("5", -21, "60.00", "REFUND"),
                    item("6", -1, "75.00", "PROCESSED", "ACH", "6789"),
                ],
                "PostDates": [
                    item("7", 9, "125.00", "PENDING"),
                    item("8", 40, "125.00", "PENDING"),
                    item("9", -5, "125.00", "CANCELLED"),
                ],
            }
        case "100245":
            return {
                "SolStatus": "expired",
                "SolDate": day(-400),
                "AssignedBalance": "500.00",
                "ItemizationBasis": "last statement",
                "Itemization": {
                    "Balance": "500.00",
                    "Interest": "42.00",
                    "Fees": "18.00",
                    "Payments": "20.00",
                    "Credits": "10.00",
                },
                "PaymentOptions": {
                    "CanPay": True,
                    "SingleCard": True,
                    "RecurringCard": False,
                    "SingleAch": True,
                    "RecurringAch": False,
                    "MinimumSingle": "25.00",
                },
            }
    return {}


AGENCIES = {"acme": ("Acme Recovery", acme), "birch": ("Birch & Lowe Receivables", birch)}


def renumbered(accounts: list[dict], *, prefix: str, ssn_group: str) -> list[dict]:
    """Give accounts to other people at another host: numbers, identities and addresses of their own."""
    return [
        record
        | {
            "FileNumber": prefix + record["FileNumber"],
            "ConsumerID": prefix + record["ConsumerID"],
            "SSN": record["SSN"].replace("900-99", f"900-{ssn_group}"),
            "Emails": [mail | {"Address": prefix.lower() + mail["Address"]} for mail in record.get("Emails") or []],
        }
        for record in accounts
    ]
