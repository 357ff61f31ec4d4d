from setuptools import Extension, setup

setup(name="fast", version="1", py_modules=[], ext_modules=[Extension("fast", ["fast.c"])])
