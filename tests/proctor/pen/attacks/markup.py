# Markup that would run in the browser of whoever reads the marks.
# points: 2 3
# never: "text/html"
# never: 'text/html'
# never: text/markdown
# never: application/javascript
# never: image/svg

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p2-sol
from IPython.display import HTML, Javascript, Markdown, Math, SVG, display
display(HTML("<script>alert('html')</script>"), Javascript("alert('js')"), Markdown("<script>alert('md')</script>"), Math("<script>"))
display({"text/html": "<script>", "image/svg+xml": "<svg onload=alert(1)>", "application/javascript": "alert(1)"}, raw=True)
display({"image/png": "bm90IGEgcGljdHVyZQ=="}, raw=True)

# %% markdown
<script>alert("text")</script> 1 < 2 <img src=x onerror=alert(1)>
