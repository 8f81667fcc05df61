"""nbgrader: solutions/ is the source, exercises/ is what students get, _grading/ is where a class is graded."""

from traitlets.config import get_config

c = get_config()

c.CourseDirectory.course_id = "etude"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "_grading/submitted"
c.CourseDirectory.autograded_directory = "_grading/autograded"
c.CourseDirectory.feedback_directory = "_grading/feedback"
c.CourseDirectory.db_url = "sqlite:///_grading/gradebook.db"
# every other file of a source folder would be copied to the students: the solution's text among them
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.py", "jupytext.toml"]
c.Exchange.root = "_grading/exchange"
c.ZipCollectApp.downloaded_directory = "_grading/downloaded"
c.ZipCollectApp.strict = True

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer.*"

# a cell that runs longer than this is stopped and worth nothing; the checks have limits of their own, far below
c.Execute.timeout = 60
c.ExecutePreprocessor.timeout = 60
c.Execute.startup_timeout = 120

# what a student displays must not run in the instructor's browser
c.HTMLExporter.sanitize_html = True
