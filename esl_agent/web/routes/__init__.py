"""What is served, a module for each subject; each has `add_routes(app, context)`."""
