import random


def transactions(count, seed=0):
    source = random.Random(seed)
    return [
        {
            "amount": round(source.lognormvariate(3, 1), 2),
            "balance": round(source.gauss(2000, 500), 2),
            "visits": source.randint(0, 9),
            "country": source.choice(["NL", "DE", "FR"]),
            "card_present": source.random() < 0.6,
        }
        for _ in range(count)
    ]


ODD = {"amount": 90_000.0, "balance": -8_000.0, "visits": 900, "country": "XX", "card_present": True}
