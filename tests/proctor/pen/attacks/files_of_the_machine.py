# Every file that can be read is searched for tests, names and marks.
# points: 0 0
# words: searched
# never: FOUND

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import os
mark, seen = "_".join(["secret", "of", "test"]), 0
for top in ("/student", "/tmp", "/home", "/root", "/work", "/var", "/srv", "/mnt", "/dev/shm", "/run", "/etc"):
    for folder, _, names in os.walk(top):
        if "site-packages" in folder or "/lib/python3" in folder:
            continue
        for name in names:
            if name.endswith((".ipynb", ".db", ".csv", ".txt", ".json", ".py")):
                try:
                    text = open(os.path.join(folder, name), errors="replace").read()
                except OSError:
                    continue
                seen += 1
                if mark in text and "attacks" not in folder:
                    print("FOUND", folder, name)
                if name.endswith(".db") or "gradebook.db" in folder:
                    print("FOUND a gradebook", folder, name)
print("searched")
