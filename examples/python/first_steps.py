"""Ids, hidden states, and a vector for a sentence.

python first_steps.py [MODEL]      default: all-MiniLM-L6-v2
"""

import sys

from cloze import BertModel, BertTokenizer, SentenceTransformer

name = sys.argv[1] if len(sys.argv) > 1 else "all-MiniLM-L6-v2"
tokenizer = BertTokenizer.from_pretrained(name)
model = BertModel.from_pretrained(name)

inputs = tokenizer(["Hello, my dog is cute", "A cat"], padding=True, return_tensors="np")
print(inputs.tokens(0))
outputs = model(**inputs)
print("last_hidden_state", outputs.last_hidden_state.shape)

sentences = SentenceTransformer(name)
vectors = sentences.encode(["a happy dog", "a puppy plays", "taxes are due"])
print("similarity to the first:", sentences.similarity(vectors[:1], vectors).round(3))
