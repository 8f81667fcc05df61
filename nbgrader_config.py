"""nbgrader: solutions/ is the source, exercises/ what students get, _grading/ the class."""

c = get_config()  # pyright: ignore  (nbgrader gives this name)

c.CourseDirectory.course_id = "etude"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "_grading/submitted"
c.CourseDirectory.autograded_directory = "_grading/autograded"
c.CourseDirectory.feedback_directory = "_grading/feedback"
c.CourseDirectory.db_url = "sqlite:///_grading/gradebook.db"
# every other file of a source folder would go to the students, the solution's text among them
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.py", "jupytext.toml"]
c.Exchange.root = "_grading/exchange"
c.ZipCollectApp.downloaded_directory = "_grading/downloaded"
c.ZipCollectApp.strict = True

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer.*"

# a cell that runs longer is stopped and worth nothing; the checks have limits far below
c.Execute.timeout = 60
c.ExecutePreprocessor.timeout = 60
c.Execute.startup_timeout = 120
c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]

# what a student displays must not run in the instructor's browser
c.HTMLExporter.sanitize_html = True
