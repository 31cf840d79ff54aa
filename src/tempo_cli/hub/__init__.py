"""The Hugging Face Hub: which files a model needs, where they are stored, and how they are downloaded.

| module | duty | network |
|---|---|---|
| `environment` | endpoint, cache folder, token, offline or not, free disk | one request: is it there? |
| `layout` | which files a model's folder must hold, and whether they are whole | none |
| `locations` | a model's name to its folder, its base's folder and the router's rows | none |
| `inventory` | what of which model is here; removing it | none |
| `remote`, `refusals` | file lists, byte ranges and resumable downloads; what errors mean | all of it |
| `store` | files in the shared cache: fetched once, linked, noted under their branch | through `remote` |
| `router` | two rows of the base's head, by byte range, kept in a file of our own | through `remote` |
| `plan`, `pull` | what has to be fetched, and fetching it | through `remote` |
| `verify` | sizes and hashes against the Hub's list, or what the files say of themselves | through `remote` |

Only this package imports huggingface_hub. It knows no torch.
"""
