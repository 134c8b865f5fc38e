"""OpenAI's client library against two servers: openai_client.py URL_OF_VECTORS URL_OF_TEXTS, each up to /v1.

The first serves a model of sentences, the second a language model over bytes with 50 positions and the key "open sesame".
"""
import asyncio
import sys

import openai

vectors = openai.OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0)
texts = openai.OpenAI(base_url=sys.argv[2], api_key="open sesame", max_retries=0)


def expect(kind, call, part, **arguments):
    try:
        call(**arguments)
    except kind as error:
        assert type(error) is kind and part in str(error), (type(error), error)
        return
    raise AssertionError(f"no {kind.__name__}")


def embeddings():
    create = vectors.embeddings.create
    model = vectors.models.list().data[0].id
    assert vectors.models.retrieve(model).id == model
    answer = create(model=model, input=["a cat", "the wolf", "x"])  # base64, unless another form is asked for
    plain = create(model=model, input=["a cat", "the wolf", "x"], encoding_format="float")
    assert [e.index for e in answer.data] == [0, 1, 2] and answer.usage.prompt_tokens == answer.usage.total_tokens > 0
    for i in range(3):
        assert len(answer.data[i].embedding) == len(plain.data[i].embedding) == 32
        assert max(abs(a - b) for a, b in zip(answer.data[i].embedding, plain.data[i].embedding)) < 1e-7
    assert create(model=model, input="a cat").data[0].embedding == answer.data[0].embedding
    assert len(create(model=model, input=[[2, 5, 3], [2, 3]]).data) == 2
    assert create(model=model, input="a cat", dimensions=32).data[0].embedding == answer.data[0].embedding
    expect(openai.BadRequestError, create, "32 dimensions", model=model, input="a", dimensions=3)
    expect(openai.BadRequestError, create, "unknown member", model=model, input="a", extra_body={"what": 1})
    expect(openai.NotFoundError, create, "is not here", model="text-embedding-3-small", input="a")
    expect(openai.BadRequestError, vectors.completions.create, "does not go on", model=model, prompt="a")
    return model, answer.data[0].embedding


async def many(model, wanted):
    client = openai.AsyncOpenAI(base_url=sys.argv[1], api_key="any", max_retries=5)
    answers = await asyncio.gather(*(client.embeddings.create(model=model, input=["a cat", "b " * (i % 9)]) for i in range(60)))
    assert all(a.data[0].embedding == wanted for a in answers)
    await client.close()


def completions():
    create = texts.completions.create
    model = texts.models.list().data[0].id
    answer = create(model=model, prompt="In the", max_tokens=20, temperature=0)
    assert answer.object == "text_completion" and answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 20 and answer.usage.total_tokens == 26 and answer._request_id
    stream = create(model=model, prompt="In the", max_tokens=20, temperature=0, stream=True, stream_options={"include_usage": True})
    events = list(stream)
    assert "".join(c.text for e in events for c in e.choices) == answer.choices[0].text
    assert events[-1].usage.completion_tokens == 20 and events[-2].choices[0].finish_reason == "length"
    several = create(model=model, prompt=["a", "b"], n=2, max_tokens=4, seed=7, top_p=0.9, stop=["zzzz"], user="me")
    assert [c.index for c in several.choices] == [0, 1, 2, 3]
    again = create(model=model, prompt=["a", "b"], n=2, max_tokens=4, seed=7, top_p=0.9, stop=["zzzz"])
    assert [c.text for c in several.choices] == [c.text for c in again.choices]
    assert create(model=model, prompt=[65, 66], max_tokens=1, echo=True).choices[0].text.startswith("AB")
    with create(model=model, prompt="a", n=100, max_tokens=50, stream=True, extra_body={"ignore_eos": True}) as left:
        next(iter(left))  # and goes away
    expect(openai.BadRequestError, create, "logprobs", model=model, prompt="a", logprobs=2)
    expect(openai.BadRequestError, create, "50 tokens", model=model, prompt="a" * 51)
    wrong = openai.OpenAI(base_url=sys.argv[2], api_key="sesame", max_retries=0)
    expect(openai.AuthenticationError, wrong.completions.create, "API key", model=model, prompt="a")
    expect(openai.NotFoundError, texts.chat.completions.create, "nothing at this path", model=model,
           messages=[{"role": "user", "content": "a"}])


asyncio.run(many(*embeddings()))
completions()
print("the client library works")
