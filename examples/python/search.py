"""The nearest lines of a file to a query.

python search.py MODEL FILE QUERY
"""

import sys

from cloze import SentenceTransformer, util

model = SentenceTransformer(sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as file:
    lines = [line.strip() for line in file if line.strip()]
for hit in util.semantic_search(model.encode_query([sys.argv[3]]), model.encode_document(lines), top_k=3)[0]:
    print(f"{hit['score']:.4f}  {lines[hit['corpus_id']]}")
